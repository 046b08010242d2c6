/** Owns the catalogue. Items are not personal and lie in the clear. */
import type { Collection, Db } from 'mongodb';
import type { CatalogueItem } from '../../contract-kit/event.ts';
import { hexOf, itemKeyOf } from '../../governance/keys.ts';
import type { ItemKey, Items, RecordOrder, StoredItem } from '../ports.ts';
import { BoundedCache, TenantCache } from './bounded-cache.ts';
import { refusedAsDuplicates } from './driver-errors.ts';
import { chunksOf, COLLECTIONS, entityId, idsUnder, notNewerThan } from './names.ts';

interface ItemDocument {
  _id: string;
  item: CatalogueItem;
  /** Absent in documents from before there was an order: anything is newer. */
  order?: RecordOrder;
}

/** Items that this process has met. ~250 bytes each. */
const KNOWN_MAX = 200_000;

class MongoItems implements Items {
  readonly #items: Collection<ItemDocument>;
  readonly #keys = new TenantCache<ItemKey>(KNOWN_MAX);
  /** Only who is in the catalogue: an absent item may come any moment. */
  readonly #known = new BoundedCache<true>(KNOWN_MAX);
  /** The same by the key objects that `keys` hands out again and again, each of one tenant: no id has to be written out. */
  readonly #knownKeys = new WeakMap<ItemKey, string>();

  constructor(db: Db) {
    this.#items = db.collection<ItemDocument>(COLLECTIONS.items);
  }

  keys(tenant: string, externalIds: readonly string[]): ItemKey[] {
    return externalIds.map((externalId) => {
      const known = this.#keys.get(tenant, externalId);
      if (known !== undefined) return known;
      const key = itemKeyOf(tenant, externalId);
      this.#keys.set(tenant, externalId, key);
      return key;
    });
  }

  async upsert(tenant: string, items: readonly CatalogueItem[], order: RecordOrder): Promise<void> {
    const latest = [...new Map(items.map((item) => [item.id, item])).values()];
    for (const chunk of chunksOf(latest)) {
      const keys = this.keys(
        tenant,
        chunk.map(({ id }) => id),
      );
      const documents = chunk.map((item, index) => ({
        _id: entityId(tenant, keys[index]!),
        item: withoutAbsent(item),
        order,
      }));
      const refused = await refusedAsDuplicates(this.#items.insertMany(documents, { ordered: false }));
      if (refused.length > 0)
        await this.#items.bulkWrite(
          refused.map((index) => {
            const { _id, item } = documents[index]!;
            return { updateOne: { filter: { _id, ...notNewerThan(order) }, update: { $set: { item, order } } } };
          }),
          { ordered: false },
        );
      for (const { _id } of documents) this.#known.set(_id, true);
    }
  }

  async known(tenant: string, keys: readonly ItemKey[]): Promise<boolean[]> {
    const unsure = keys.filter((key) => this.#knownKeys.get(key) !== tenant);
    if (unsure.length > 0) await this.#learn(tenant, unsure);
    return keys.map((key) => this.#knownKeys.get(key) === tenant);
  }

  /** Notes which of these keys are in the catalogue; asks the store for those that this process has not met there. */
  async #learn(tenant: string, keys: readonly ItemKey[]): Promise<void> {
    const ids = keys.map((key) => entityId(tenant, key));
    const asked = [...new Set(ids.filter((id) => !this.#known.has(id)))];
    const found = new Set<string>();
    for (const chunk of chunksOf(asked)) {
      const documents = this.#items.find({ _id: { $in: [...chunk] } }, { projection: { _id: 1 } });
      for (const { _id } of await documents.toArray()) {
        found.add(_id);
        this.#known.set(_id, true);
      }
    }
    for (const [n, key] of keys.entries())
      if (found.has(ids[n]!) || this.#known.has(ids[n]!)) this.#knownKeys.set(key, tenant);
  }

  async read(tenant: string, keys: readonly ItemKey[]): Promise<Map<string, StoredItem>> {
    const items = new Map<string, StoredItem>();
    for (const chunk of chunksOf(keys)) {
      const ids = chunk.map((key) => entityId(tenant, key));
      for (const document of await this.#items.find({ _id: { $in: ids } }).toArray()) {
        const stored = toStored(tenant, document);
        items.set(hexOf(stored.key), stored);
      }
    }
    return items;
  }

  count(tenant: string): Promise<number> {
    return this.#items.countDocuments({ _id: idsUnder(tenant) });
  }

  async *all(tenant: string): AsyncGenerator<StoredItem> {
    for await (const document of this.#items.find({ _id: idsUnder(tenant) })) yield toStored(tenant, document);
  }
}

const withoutAbsent = (item: CatalogueItem): CatalogueItem =>
  Object.fromEntries(Object.entries(item).filter(([, value]) => value !== undefined)) as CatalogueItem;

const toStored = (tenant: string, { _id, item }: ItemDocument): StoredItem => ({
  ...item,
  key: Buffer.from(_id.slice(tenant.length + 1), 'hex'),
});

export function mongoItems(db: Db): Items {
  return new MongoItems(db);
}
