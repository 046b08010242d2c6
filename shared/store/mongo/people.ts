/**
 * Owns people: one envelope a person, sealed under a data key of the person's own, and free texts under the same key.
 * Only the subject key and ciphertext lie in the store; the external id comes back through the envelope alone.
 * Deleting a document of `people` shreds the person's texts with it.
 */
import type { Collection, Db } from 'mongodb';
import { type Person, personSchema } from '../../contract-kit/event.ts';
import { AppError } from '../../errors.ts';
import { decrypt, encrypt, type MasterRing, newDataKey, placeOf, unwrapKey, wrapKey } from '../../governance/crypto.ts';
import { hexOf, type PersonalKeys } from '../../governance/keys.ts';
import { type People, PROFILE_FACTS, type ProfileFacts, type RecordOrder, type SubjectKey } from '../ports.ts';
import { BoundedCache, TenantCache } from './bounded-cache.ts';
import { refusedAsDuplicates } from './driver-errors.ts';
import { chunksOf, COLLECTIONS, entityId, idsUnder } from './names.ts';
import { knownAt, momentOf, replaced, type Since } from './past.ts';

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
  /** Sealed JSON of since when the facts of the profile are known, and what was known before; absent: since its order, and nothing. */
  past?: Uint8Array;
}
interface Past {
  readonly since: number;
  readonly past: readonly Since<ProfileFacts>[];
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

/** Turns that writers of one person take at most, before one of them has met too many others. */
const TURNS_MAX = 1_000;

export const envelopePlace = (id: string): string => placeOf(COLLECTIONS.people, 'box', id);
const pastPlace = (id: string): string => placeOf(COLLECTIONS.people, 'past', id);
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
    return refusedAsDuplicates(this.#people, documents);
  }

  #seal(id: string, dataKey: Uint8Array, person: Person): Buffer {
    return encrypt(dataKey, Buffer.from(JSON.stringify(person)), envelopePlace(id));
  }

  /** Takes the place of what is not newer, one turn after the other until no other writer came between. */
  async #replace(tenant: string, people: readonly Person[], order: RecordOrder): Promise<void> {
    let left = people.map((person) => ({ _id: entityId(tenant, this.#keyOf(tenant, person.id)), person }));
    for (let turn = 0; left.length > 0; turn++) {
      if (turn === TURNS_MAX) throw new AppError('SERVICE_UNAVAILABLE', { message: 'A person has too many writers.' });
      const found = await this.#people.find({ _id: { $in: left.map(({ _id }) => _id) } }).toArray();
      const there = new Map(found.map((document) => [document._id, document]));
      const updates = left.map(({ _id, person }) => this.#update(there.get(_id), person, order));
      left = left.filter((_, n) => updates[n] !== undefined);
      if (left.length === 0) return;
      const done = await this.#people.bulkWrite(
        updates.filter((update) => update !== undefined).map((updateOne) => ({ updateOne })),
        { ordered: false },
      );
      if (done.matchedCount === left.length) return;
    }
  }

  /** Undefined: nothing is to be done, for what is there is newer, the same, or shredded, and stays so. */
  #update(there: PersonDocument | undefined, person: Person, order: RecordOrder) {
    if (there?.key === undefined || (there.order !== undefined && there.order > order)) return undefined;
    const { _id, kid, key } = there;
    const dataKey = this.#keyIn(there);
    const old = this.#openWith(dataKey, there);
    if (there.order === order && JSON.stringify(old) === JSON.stringify(person)) return undefined;
    const { since, past } = this.#pastOf(dataKey, there);
    const now = { since, facts: profileFactsOf(old) };
    const kept: Past = replaced(now, past, { since: momentOf(order), facts: profileFactsOf(person) });
    const $set = {
      box: this.#seal(_id, dataKey, person),
      past: encrypt(dataKey, Buffer.from(JSON.stringify(kept)), pastPlace(_id)),
      at: this.#clock(),
      order,
    };
    return { filter: { _id, kid: kid!, key, order: there.order ?? { $exists: false } }, update: { $set } };
  }

  #pastOf(dataKey: Uint8Array, { _id, past, order }: PersonDocument): Past {
    if (past === undefined) return { since: momentOf(order), past: [] };
    return JSON.parse(decrypt(dataKey, past, pastPlace(_id), COLLECTIONS.people).toString()) as Past;
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

  #keyIn({ _id, kid, key }: PersonDocument): Buffer {
    return unwrapKey(this.#ring, { kid: kid!, key: key! }, envelopePlace(_id), COLLECTIONS.people);
  }

  #openWith(dataKey: Uint8Array, { _id, box }: PersonDocument): Person {
    return personSchema.parse(JSON.parse(decrypt(dataKey, box, envelopePlace(_id), COLLECTIONS.people).toString()));
  }

  /** Undefined: shredded. `asOf`: with the facts of the profile that were known then. */
  #open(document: PersonDocument, asOf?: number): Person | undefined {
    if (document.kid === undefined || document.key === undefined) return undefined;
    const dataKey = this.#keyIn(document);
    const person = this.#openWith(dataKey, document);
    if (asOf === undefined) return person;
    const { since, past } = this.#pastOf(dataKey, document);
    const facts = knownAt({ since, facts: profileFactsOf(person) }, past, asOf) ?? {};
    const today = Object.entries(person.attributes ?? {}).filter(([name]) => !isProfileFact(name));
    return { ...person, attributes: { ...Object.fromEntries(today), ...facts } };
  }

  async open(tenant: string, keys: readonly SubjectKey[], asOf?: number): Promise<Map<string, Person>> {
    const people = new Map<string, Person>();
    for (const chunk of chunksOf(keys)) {
      const ids = chunk.map((key) => entityId(tenant, key));
      for (const document of await this.#people.find({ _id: { $in: ids } }).toArray()) {
        const person = this.#open(document, asOf);
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
      if (documents.length > 0) await refusedAsDuplicates(this.#texts, documents);
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

const isProfileFact = (name: string): boolean => (PROFILE_FACTS as readonly string[]).includes(name);

/** In one order, so that equal facts are equal texts. */
function profileFactsOf({ attributes = {} }: Person): ProfileFacts {
  return Object.fromEntries(
    PROFILE_FACTS.filter((name) => name in attributes).map((name) => [name, attributes[name]!]),
  );
}

export function mongoPeople(db: Db, ring: MasterRing, personal: PersonalKeys, clock: () => number): People {
  return new MongoPeople(db, ring, personal, clock);
}
