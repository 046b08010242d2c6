/** Owns the catalogue. Items are not personal and lie in the clear. */
import type { Collection, Db } from 'mongodb';
import type { CatalogueItem } from '../../contract-kit/event.ts';
import { AppError } from '../../errors.ts';
import { hexOf, itemKeyOf } from '../../governance/keys.ts';
import type { ItemKey, Items, RecordOrder, StoredItem } from '../ports.ts';
import { BoundedCache, TenantCache } from './bounded-cache.ts';
import { refusedAsDuplicates } from './driver-errors.ts';
import { chunksOf, COLLECTIONS, entityId, idsUnder } from './names.ts';
import { knownAt, momentOf, replaced, type Since } from './past.ts';

interface ItemDocument {
  _id: string;
  item: CatalogueItem;
  /** Absent in documents from before there was an order: anything is newer. */
  order?: RecordOrder;
  /** Since when the facts of `item` are known, and what was known before; absent: since its order, and nothing. */
  since?: number;
  past?: readonly Since<ItemFacts>[];
}

/** What features are made of. */
type ItemFacts = Pick<CatalogueItem, 'creator' | 'topics' | 'publishedAt'>;

const factsOf = ({ creator, topics, publishedAt }: CatalogueItem): ItemFacts =>
  withoutAbsent({ creator, topics, publishedAt });

const sinceOf = ({ item, order, since }: ItemDocument): Since<ItemFacts> => ({
  since: since ?? momentOf(order),
  facts: factsOf(item),
});

/** Turns that writers of one item take at most, before one of them has met too many others. */
const TURNS_MAX = 1_000;

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
      const refused = await refusedAsDuplicates(this.#items, documents);
      await this.#replace(
        refused.map((index) => documents[index]!),
        order,
      );
      for (const { _id } of documents) this.#known.set(_id, true);
    }
  }

  /** Takes the place of what is not newer, one turn after the other until no other writer came between. */
  async #replace(given: readonly ItemDocument[], order: RecordOrder): Promise<void> {
    let left = given;
    for (let turn = 0; left.length > 0; turn++) {
      if (turn === TURNS_MAX) throw new AppError('SERVICE_UNAVAILABLE', { message: 'An item has too many writers.' });
      const found = await this.#items.find({ _id: { $in: left.map(({ _id }) => _id) } }).toArray();
      const there = new Map(found.map((document) => [document._id, document]));
      left = left.filter(({ _id, item }) => isOlder(there.get(_id), item, order));
      if (left.length === 0) return;
      const done = await this.#items.bulkWrite(
        left.map(({ _id, item }) => {
          const old = there.get(_id)!;
          const next = { since: momentOf(order), facts: factsOf(item) };
          const kept = replaced(sinceOf(old), old.past ?? [], next);
          const filter = { _id, order: old.order ?? { $exists: false } };
          return { updateOne: { filter, update: { $set: { item, order, ...kept } } } };
        }),
        { ordered: false },
      );
      if (done.matchedCount === left.length) return;
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

  async read(tenant: string, keys: readonly ItemKey[], asOf?: number): Promise<Map<string, StoredItem>> {
    const items = new Map<string, StoredItem>();
    for (const chunk of chunksOf(keys)) {
      const ids = chunk.map((key) => entityId(tenant, key));
      for (const document of await this.#items.find({ _id: { $in: ids } }).toArray()) {
        const stored = asOf === undefined ? toStored(tenant, document) : toKnown(tenant, document, asOf);
        if (stored !== undefined) items.set(hexOf(stored.key), stored);
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

function withoutAbsent<T extends object>(item: { readonly [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(item).filter(([, value]) => value !== undefined)) as T;
}

/** True when the record is to take the place of what is there. */
function isOlder(there: ItemDocument | undefined, item: CatalogueItem, order: RecordOrder): boolean {
  if (there === undefined) return false; // nothing removes items, but then there is nothing to replace
  if (there.order === undefined) return true;
  return there.order < order || (there.order === order && JSON.stringify(there.item) !== JSON.stringify(item));
}

const toStored = (tenant: string, { _id, item }: ItemDocument): StoredItem => ({
  ...item,
  key: Buffer.from(_id.slice(tenant.length + 1), 'hex'),
});

/** The item with the facts that were known then; undefined: it was not known. */
function toKnown(tenant: string, document: ItemDocument, asOf: number): StoredItem | undefined {
  const facts = knownAt(sinceOf(document), document.past ?? [], asOf);
  if (facts === undefined) return undefined;
  const { creator: _c, topics: _t, publishedAt: _p, ...rest } = toStored(tenant, document);
  return { ...rest, ...facts };
}

export function mongoItems(db: Db): Items {
  return new MongoItems(db);
}
