/**
 * Owns reading and clearing outbox entries in the collections of callers. Of their documents only the entry's own field is read or
 * written, and one index is made on it, which holds nothing but entries that are due.
 */
import { type Collection, type Document, type Filter, MongoClient } from 'mongodb';
import { OUTBOX_FIELD } from '../../contract-kit/outbox.ts';
import type { TlsTrust } from '../../contract-kit/tls.ts';
import { AppError } from '../../errors.ts';
import type { Outbox, OutboxFound, OutboxPlace } from '../ports/outbox.ts';
import { guarded, hostsOf, mongodbTls } from './driver-errors.ts';
import { COLLECTIONS } from './names.ts';

const CONNECTIONS_MAX = 5;
const CONNECT_TIMEOUT_MS = 5_000;
const INDEX_NAME = 'millrace_outbox';
const [DUE, NEXT_AT, ID] = ['due', 'nextAt', 'id'].map((name) => `${OUTBOX_FIELD}.${name}`) as [string, string, string];

export interface OpenOutboxOptions {
  readonly url: string;
  readonly tls?: TlsTrust | undefined;
  /** database.collection of each outbox. */
  readonly collections: readonly string[];
  /** Documents are nothing but entries, and go with them. */
  readonly own?: boolean;
}

/** The deployment's own outbox: what the journal wrote. */
export const openJournalOutbox = (url: string, database: string, tls?: TlsTrust): Promise<Outbox> =>
  openOutbox({ url, tls, collections: [`${database}.${COLLECTIONS.journal}`], own: true });

/** Connects and makes the indexes. Throws SERVICE_UNAVAILABLE. */
export async function openOutbox({ url, tls, collections, own = false }: OpenOutboxOptions): Promise<Outbox> {
  const client = new MongoClient(url, {
    ...mongodbTls(tls),
    appName: 'millrace-outbox',
    serverSelectionTimeoutMS: CONNECT_TIMEOUT_MS,
    connectTimeoutMS: CONNECT_TIMEOUT_MS,
    maxPoolSize: CONNECTIONS_MAX,
    ignoreUndefined: true,
  });
  const outbox = guarded(new MongoOutbox(client, collections, own), hostsOf(url));
  try {
    await outbox.index();
    return outbox;
  } catch (thrown) {
    await client.close();
    throw thrown;
  }
}

class MongoOutbox implements Outbox {
  readonly #client: MongoClient;
  readonly #collections: ReadonlyMap<string, Collection>;
  readonly #own: boolean;

  constructor(client: MongoClient, names: readonly string[], own: boolean) {
    this.#client = client;
    this.#own = own;
    this.#collections = new Map(
      names.map((name) => {
        const dot = name.indexOf('.');
        return [name, client.db(name.slice(0, dot)).collection(name.slice(dot + 1))];
      }),
    );
  }

  async index(): Promise<void> {
    for (const collection of this.#collections.values())
      await collection.createIndex({ [NEXT_AT]: 1 }, { name: INDEX_NAME, partialFilterExpression: { [DUE]: true } });
  }

  async due(nowMs: number, limit: number): Promise<OutboxFound[]> {
    const found: OutboxFound[] = [];
    for (const [name, collection] of this.#collections) {
      const documents = await collection
        .find({ [DUE]: true, [NEXT_AT]: { $lte: nowMs } }, { projection: { [OUTBOX_FIELD]: 1 } })
        .sort({ [NEXT_AT]: 1 })
        .limit(limit - found.length)
        .toArray();
      for (const { _id, [OUTBOX_FIELD]: entry } of documents) found.push(foundAt(name, _id, entry));
      if (found.length >= limit) break;
    }
    return found;
  }

  async postpone(place: OutboxPlace, nextAt: number): Promise<boolean> {
    const { matchedCount } = await this.#update(place, { $set: { [NEXT_AT]: nextAt } });
    return matchedCount === 1;
  }

  async clear(place: OutboxPlace): Promise<void> {
    if (this.#own) await this.#collection(place).deleteOne(filterOf(place));
    else await this.#update(place, { $unset: { [OUTBOX_FIELD]: '' } });
  }

  async park(place: OutboxPlace, error: { readonly code: string; readonly message: string }): Promise<void> {
    if (this.#own) return this.clear(place); // nobody reads it there; the log has the reason
    await this.#update(place, { $set: { [DUE]: false, [`${OUTBOX_FIELD}.error`]: error } });
  }

  #update(place: OutboxPlace, update: Document) {
    return this.#collection(place).updateOne(filterOf(place), update);
  }

  #collection({ collection }: OutboxPlace): Collection {
    const found = this.#collections.get(collection);
    if (found === undefined) throw new AppError('NOT_FOUND', { message: `${collection} is not an outbox.` });
    return found;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#client.close();
  }
}

function filterOf({ document, id }: OutboxPlace): Filter<Document> {
  return { _id: document as never, [DUE]: true, ...(id === undefined ? {} : { [ID]: id }) };
}

function foundAt(collection: string, document: unknown, entry: unknown): OutboxFound {
  const id = typeof entry === 'object' && entry !== null && 'id' in entry ? entry.id : undefined;
  return { collection, document, entry, ...(typeof id === 'string' ? { id } : {}) };
}
