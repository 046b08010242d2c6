/**
 * Owns people: one envelope a person, sealed under a data key of the person's own, and free texts under the same key.
 * Only the subject key and ciphertext lie in the store; the external id comes back through the envelope alone.
 * Deleting a document of `people` shreds the person's texts with it.
 */
import type { Collection, Db } from 'mongodb';
import { type Person, personSchema } from '../../contract-kit/event.ts';
import { decrypt, encrypt, type MasterRing, newDataKey, placeOf, unwrapKey, wrapKey } from '../../governance/crypto.ts';
import { hexOf, type PersonalKeys } from '../../governance/keys.ts';
import type { People, RecordOrder, SubjectKey } from '../ports.ts';
import { BoundedCache, TenantCache } from './bounded-cache.ts';
import { refusedAsDuplicates } from './driver-errors.ts';
import { chunksOf, COLLECTIONS, entityId, idsUnder, notNewerThan } from './names.ts';

interface PersonDocument {
  _id: string;
  /** Absent once shredded. */
  kid?: string;
  key?: Uint8Array;
  /** Sealed JSON of the person. */
  box: Uint8Array;
  at: number;
  /** Absent in documents from before there was an order: anything is newer. */
  order?: RecordOrder;
}
interface TextDocument {
  _id: string;
  box: Uint8Array;
}

/** Names whose subject key and envelope this process has met. ~300 bytes each. */
const KNOWN_MAX = 200_000;
const TEXTS_OF_A_PERSON_MAX = 100_000;
/** Of an envelope with nothing but the id: every record is newer. */
const UNSAID: RecordOrder = '';

const envelopePlace = (id: string): string => placeOf(COLLECTIONS.people, 'box', id);
const textPlace = (id: string): string => placeOf(COLLECTIONS.texts, 'box', id);

class MongoPeople implements People {
  readonly #people: Collection<PersonDocument>;
  readonly #texts: Collection<TextDocument>;
  readonly #ring: MasterRing;
  readonly #personal: PersonalKeys;
  readonly #clock: () => number;
  readonly #keys = new TenantCache<SubjectKey>(KNOWN_MAX);
  readonly #ensured = new BoundedCache<true>(KNOWN_MAX);

  constructor(db: Db, ring: MasterRing, personal: PersonalKeys, clock: () => number) {
    this.#people = db.collection<PersonDocument>(COLLECTIONS.people);
    this.#texts = db.collection<TextDocument>(COLLECTIONS.texts);
    this.#ring = ring;
    this.#personal = personal;
    this.#clock = clock;
  }

  keys(tenant: string, externalIds: readonly string[]): SubjectKey[] {
    return externalIds.map((externalId) => this.#keyOf(tenant, externalId));
  }

  #keyOf(tenant: string, externalId: string): SubjectKey {
    const known = this.#keys.get(tenant, externalId);
    if (known !== undefined) return known;
    const key = this.#personal.subject(tenant, externalId);
    this.#keys.set(tenant, externalId, key);
    return key;
  }

  async upsert(tenant: string, people: readonly Person[], order: RecordOrder): Promise<void> {
    const latest = new Map(people.map((person) => [person.id, person]));
    for (const chunk of chunksOf([...latest.values()])) {
      const refused = await this.#insert(tenant, chunk, order);
      await this.#replace(
        tenant,
        refused.map((index) => chunk[index]!),
        order,
      );
    }
  }

  async ensure(tenant: string, externalIds: readonly string[]): Promise<void> {
    const missing = new Set(externalIds.filter((externalId) => !this.#ensured.has(`${tenant}\0${externalId}`)));
    for (const chunk of chunksOf([...missing])) {
      const ids = chunk.map((externalId) => entityId(tenant, this.#keyOf(tenant, externalId)));
      const found = await this.#people.find({ _id: { $in: ids } }, { projection: { _id: 1 } }).toArray();
      const there = new Set(found.map(({ _id }) => _id));
      const fresh = chunk.filter((_, index) => !there.has(ids[index]!));
      // Somebody else may insert the same person meanwhile: then it is there, which is what is asked for.
      if (fresh.length > 0)
        await this.#insert(
          tenant,
          fresh.map((id) => ({ id })),
          UNSAID,
        );
      for (const externalId of chunk) this.#ensured.set(`${tenant}\0${externalId}`, true);
    }
  }

  /** Indices of people who were there already. */
  async #insert(tenant: string, people: readonly Person[], order: RecordOrder): Promise<number[]> {
    const documents = people.map((person): PersonDocument => {
      const _id = entityId(tenant, this.#keyOf(tenant, person.id));
      const dataKey = newDataKey();
      const { kid, key } = wrapKey(this.#ring, dataKey, envelopePlace(_id));
      return { _id, kid, key, box: this.#seal(_id, dataKey, person), at: this.#clock(), order };
    });
    return refusedAsDuplicates(this.#people.insertMany(documents, { ordered: false }));
  }

  #seal(id: string, dataKey: Uint8Array, person: Person): Buffer {
    return encrypt(dataKey, Buffer.from(JSON.stringify(person)), envelopePlace(id));
  }

  async #replace(tenant: string, people: readonly Person[], order: RecordOrder): Promise<void> {
    if (people.length === 0) return;
    const dataKeys = await this.#dataKeys(people.map(({ id }) => entityId(tenant, this.#keyOf(tenant, id))));
    const updates = people.flatMap((person) => {
      const _id = entityId(tenant, this.#keyOf(tenant, person.id));
      const held = dataKeys.get(_id);
      if (held === undefined) return []; // shredded meanwhile: stays so
      const $set = { box: this.#seal(_id, held.dataKey, person), at: this.#clock(), order };
      return [{ updateOne: { filter: { _id, key: held.wrapped, ...notNewerThan(order) }, update: { $set } } }];
    });
    if (updates.length > 0) await this.#people.bulkWrite(updates, { ordered: false });
  }

  /** Data keys by id of the document; who is unknown or shredded is left out. */
  async #dataKeys(ids: readonly string[]): Promise<Map<string, { dataKey: Buffer; wrapped: Uint8Array }>> {
    const held = new Map<string, { dataKey: Buffer; wrapped: Uint8Array }>();
    for (const chunk of chunksOf([...new Set(ids)])) {
      const found = this.#people.find({ _id: { $in: [...chunk] } }, { projection: { kid: 1, key: 1 } });
      for (const { _id, kid, key } of await found.toArray()) {
        if (kid === undefined || key === undefined) continue;
        held.set(_id, {
          dataKey: unwrapKey(this.#ring, { kid, key }, envelopePlace(_id), COLLECTIONS.people),
          wrapped: key,
        });
      }
    }
    return held;
  }

  #open({ _id, kid, key, box }: PersonDocument): Person | undefined {
    if (kid === undefined || key === undefined) return undefined;
    const dataKey = unwrapKey(this.#ring, { kid, key }, envelopePlace(_id), COLLECTIONS.people);
    const plain = decrypt(dataKey, box, envelopePlace(_id), COLLECTIONS.people);
    return personSchema.parse(JSON.parse(plain.toString()));
  }

  async open(tenant: string, keys: readonly SubjectKey[]): Promise<Map<string, Person>> {
    const people = new Map<string, Person>();
    for (const chunk of chunksOf(keys)) {
      const ids = chunk.map((key) => entityId(tenant, key));
      for (const document of await this.#people.find({ _id: { $in: ids } }).toArray()) {
        const person = this.#open(document);
        if (person !== undefined) people.set(document._id.slice(tenant.length + 1), person);
      }
    }
    return people;
  }

  async keepTexts(tenant: string, texts: Parameters<People['keepTexts']>[1]): Promise<void> {
    for (const chunk of chunksOf(texts)) {
      const owners = await this.#dataKeys(chunk.map(({ subject }) => entityId(tenant, subject)));
      const documents = chunk.flatMap(({ subject, eventId, text }): TextDocument[] => {
        const owner = entityId(tenant, subject);
        const held = owners.get(owner);
        const _id = `${owner}.${hexOf(eventId)}`;
        return held === undefined ? [] : [{ _id, box: encrypt(held.dataKey, Buffer.from(text), textPlace(_id)) }];
      });
      if (documents.length > 0) await refusedAsDuplicates(this.#texts.insertMany(documents, { ordered: false }));
    }
  }

  async texts(tenant: string, subject: SubjectKey): ReturnType<People['texts']> {
    const owner = entityId(tenant, subject);
    const held = (await this.#dataKeys([owner])).get(owner);
    if (held === undefined) return [];
    const found = await this.#texts
      .find({ _id: idsUnder(owner) })
      .limit(TEXTS_OF_A_PERSON_MAX)
      .toArray();
    return found.map(({ _id, box }) => ({
      eventId: Buffer.from(_id.slice(owner.length + 1), 'hex'),
      text: decrypt(held.dataKey, box, textPlace(_id), COLLECTIONS.texts).toString(),
    }));
  }

  count(tenant: string): Promise<number> {
    return this.#people.countDocuments({ _id: idsUnder(tenant) });
  }

  async *all(tenant: string): AsyncGenerator<Person> {
    for await (const document of this.#people.find({ _id: idsUnder(tenant) })) {
      const person = this.#open(document);
      if (person !== undefined) yield person;
    }
  }
}

export function mongoPeople(db: Db, ring: MasterRing, personal: PersonalKeys, clock: () => number): People {
  return new MongoPeople(db, ring, personal, clock);
}
