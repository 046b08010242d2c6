/**
 * Owns a database in memory that answers as the driver does, so that the real store runs on it without a server: documents lie as BSON, come back as
 * copies, and a key that is there refuses another. Every call is done at once: calls of two processes never overlap inside one.
 */
import { BSON, type Db, type Document, MongoBulkWriteError, MongoServerError } from 'mongodb';
import { change, matches, projected, seedOf, sorted } from './memory-query.ts';

const DUPLICATE_KEY = 11_000;
type Fields = Record<string, unknown>;

interface Stored {
  readonly document: Fields;
  readonly bytes: Uint8Array;
}

interface FindOptions {
  readonly projection?: Fields;
  readonly sort?: Fields;
  readonly limit?: number;
  readonly raw?: boolean;
}

const duplicateKey = (id: unknown): MongoServerError =>
  new MongoServerError({ message: `E11000 duplicate key ${String(id)}`, code: DUPLICATE_KEY });

function stored(document: Fields): Stored {
  const bytes = BSON.serialize(document, { ignoreUndefined: true });
  return { bytes, document: BSON.deserialize(bytes, { promoteBuffers: true }) };
}

/** An answer that is read once, whole or one by one. */
class MemoryCursor {
  readonly #read: (options: FindOptions) => Document[];
  #options: FindOptions;

  constructor(read: (options: FindOptions) => Document[], options: FindOptions) {
    this.#read = read;
    this.#options = options;
  }

  sort(sort: Fields): this {
    this.#options = { ...this.#options, sort };
    return this;
  }

  limit(limit: number): this {
    this.#options = { ...this.#options, limit };
    return this;
  }

  async toArray(): Promise<Document[]> {
    return this.#read(this.#options);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Document> {
    yield* this.#read(this.#options);
  }
}

class MemoryCollection {
  readonly collectionName: string;
  readonly #documents = new Map<unknown, Stored>();

  constructor(name: string) {
    this.collectionName = name;
  }

  /** Documents that fit, in the order they came in. */
  #fitting(filter: Fields): Stored[] {
    const { _id } = filter;
    if (typeof _id === 'string') {
      const one = this.#documents.get(_id);
      return one !== undefined && matches(one.document, filter) ? [one] : [];
    }
    return [...this.#documents.values()].filter(({ document }) => matches(document, filter));
  }

  #answer(filter: Fields, { projection, sort, limit, raw = false }: FindOptions): Document[] {
    let found = this.#fitting(filter);
    if (sort !== undefined) {
      const places = new Map(found.map((one) => [one.document, one]));
      found = sorted([...places.keys()], sort).map((document) => places.get(document)!);
    }
    if (limit !== undefined) found = found.slice(0, limit);
    if (raw) return found.map(({ bytes }) => bytes);
    return found.map(({ bytes }) => {
      const copy = BSON.deserialize(bytes, { promoteBuffers: true });
      return projection === undefined ? copy : projected(copy, projection);
    });
  }

  #insert(document: Fields): void {
    if (this.#documents.has(document['_id'])) throw duplicateKey(document['_id']);
    this.#documents.set(document['_id'], stored(document));
  }

  find(filter: Fields = {}, options: FindOptions = {}): MemoryCursor {
    return new MemoryCursor((more) => this.#answer(filter, more), options);
  }

  async findOne(filter: Fields = {}, options: FindOptions = {}): Promise<Document | null> {
    return this.#answer(filter, { ...options, limit: 1 })[0] ?? null;
  }

  async countDocuments(filter: Fields = {}): Promise<number> {
    return this.#fitting(filter).length;
  }

  async insertOne(document: Fields): Promise<void> {
    this.#insert(document);
  }

  async insertMany(documents: readonly Fields[]): Promise<void> {
    const writeErrors = documents.flatMap((document, index) => {
      try {
        this.#insert(document);
        return [];
      } catch {
        return [{ index, code: DUPLICATE_KEY }];
      }
    });
    if (writeErrors.length === 0) return;
    const result = { getWriteConcernError: () => undefined };
    throw new MongoBulkWriteError({ message: 'E11000', code: DUPLICATE_KEY, writeErrors } as never, result as never);
  }

  #write(filter: Fields, options: { upsert?: boolean }, make: (before: Fields, isNew: boolean) => Fields) {
    const [found] = this.#fitting(filter);
    if (found === undefined) {
      if (options.upsert !== true) return { matchedCount: 0, modifiedCount: 0, upsertedCount: 0, before: null };
      const made = make(seedOf(filter), true);
      this.#insert(made);
      return { matchedCount: 0, modifiedCount: 0, upsertedCount: 1, before: null };
    }
    const before = BSON.deserialize(found.bytes, { promoteBuffers: true });
    const id = found.document['_id'];
    const after = stored({ ...make({ ...before }, false), _id: id });
    this.#documents.set(id, after);
    const modifiedCount = Buffer.compare(after.bytes, found.bytes) === 0 ? 0 : 1;
    return { matchedCount: 1, modifiedCount, upsertedCount: 0, before: BSON.deserialize(found.bytes) };
  }

  async updateOne(filter: Fields, update: Fields, options: { upsert?: boolean } = {}) {
    return this.#write(filter, options, (document, isNew) => {
      change(document, update, isNew);
      return document;
    });
  }

  async updateMany(filter: Fields, update: Fields) {
    let matchedCount = 0;
    for (const { document } of this.#fitting(filter)) {
      await this.updateOne({ _id: document['_id'] }, update);
      matchedCount += 1;
    }
    return { matchedCount };
  }

  async replaceOne(filter: Fields, document: Fields, options: { upsert?: boolean } = {}) {
    return this.#write(filter, options, (before) => ({ ...document, _id: before['_id'] ?? document['_id'] }));
  }

  async findOneAndUpdate(
    filter: Fields,
    update: Fields,
    options: { upsert?: boolean; returnDocument?: 'after' | 'before' } = {},
  ) {
    const [found] = this.#fitting(filter);
    const written = await this.updateOne(filter, update, options);
    if (written.matchedCount + written.upsertedCount === 0) return null;
    if (options.returnDocument !== 'after') return written.before;
    return this.findOne({ _id: found?.document['_id'] ?? filter['_id'] });
  }

  async bulkWrite(operations: readonly { updateOne?: { filter: Fields; update: Fields; upsert?: boolean } }[]) {
    let matchedCount = 0;
    for (const { updateOne } of operations) {
      if (updateOne === undefined) throw new Error('the store in memory does not know this write');
      const { filter, update, ...options } = updateOne;
      matchedCount += (await this.updateOne(filter, update, options)).matchedCount;
    }
    return { matchedCount };
  }

  async deleteOne(filter: Fields) {
    return this.#delete(this.#fitting(filter).slice(0, 1));
  }

  async deleteMany(filter: Fields = {}) {
    return this.#delete(this.#fitting(filter));
  }

  #delete(doomed: readonly Stored[]) {
    for (const { document } of doomed) this.#documents.delete(document['_id']);
    return { deletedCount: doomed.length };
  }

  async createIndexes(): Promise<void> {}
}

/** What the store uses of a database. */
class MemoryDb {
  readonly #collections = new Map<string, MemoryCollection>();

  collection(name: string): MemoryCollection {
    let collection = this.#collections.get(name);
    if (collection === undefined) this.#collections.set(name, (collection = new MemoryCollection(name)));
    return collection;
  }

  listCollections() {
    return { toArray: async () => [...this.#collections.keys()].map((name) => ({ name })) };
  }
}

export function memoryDb(): Db {
  return new MemoryDb() as unknown as Db;
}
