/**
 * Owns the ordered log: entries numbered 1, 2, 3, ... per shard, without transactions.
 *
 * A writer increments a counter and inserts `_id = shard.number`. Between the two it may die and leave a gap. Invariants:
 * 1. A number is filled once, by an entry or by a void; `_id` sees to it.
 * 2. A reader hands out entries only up to the first open gap; an entry, once handed out at n, is followed by nothing that comes
 *    in below n.
 * 3. A gap that stays open for `staleGapMs` is closed by whichever reader waits for it, by inserting a void; the late writer
 *    meets the duplicate key and takes a new number.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Collection, Db, OptionalUnlessRequiredId } from 'mongodb';
import { AppError } from '../../errors.ts';
import { isDuplicateKey } from './driver-errors.ts';
import { COLLECTIONS, sequenceText } from './names.ts';

interface LogDocument<T> {
  _id: string;
  /** Absent: a void. */
  body?: T;
}
type Insertable<T> = OptionalUnlessRequiredId<LogDocument<T>>;
interface CounterDocument {
  _id: string;
  n: number;
}
export interface LogEntry<T> {
  readonly sequence: number;
  readonly body: T;
}

export interface OrderedLog<T> {
  /** Appends; returns the entry's number. */
  append(shard: string, body: T): Promise<number>;
  /** Highest number that a writer has taken; one round trip. */
  last(shard: string): Promise<number>;
  /** Entries after `sequence` up to what had been taken when it was called, gaps closed; `upTo` is that number. */
  readAfter(
    shard: string,
    sequence: number,
  ): Promise<{ readonly entries: readonly LogEntry<T>[]; readonly upTo: number }>;
  /** First half of append: takes a number. */
  reserve(shard: string): Promise<number>;
  /** Second half: false when the number is filled already. */
  fill(shard: string, sequence: number, body: T): Promise<boolean>;
}

export interface OrderedLogOptions {
  /** Between a writer's two round trips pass milliseconds; one that takes longer than this is taken for dead. */
  readonly staleGapMs?: number;
}

const DEFAULT_STALE_GAP_MS = 2000;
const POLL_MS = 10;
const NUMBERS_TRIED_MAX = 100;
const ENTRIES_READ_AT_ONCE = 1000;

class MongoOrderedLog<T> implements OrderedLog<T> {
  readonly #entries: Collection<LogDocument<T>>;
  readonly #counters: Collection<CounterDocument>;
  readonly #staleGapMs: number;

  constructor(db: Db, collection: string, options: OrderedLogOptions) {
    this.#entries = db.collection<LogDocument<T>>(collection);
    this.#counters = db.collection<CounterDocument>(COLLECTIONS.counters);
    this.#staleGapMs = options.staleGapMs ?? DEFAULT_STALE_GAP_MS;
  }

  #counterOf(shard: string): string {
    return `${shard}.${this.#entries.collectionName}`;
  }

  async reserve(shard: string): Promise<number> {
    for (let attempt = 0; attempt < 5; attempt++) {
      try {
        const counter = await this.#counters.findOneAndUpdate(
          { _id: this.#counterOf(shard) },
          { $inc: { n: 1 } },
          { upsert: true, returnDocument: 'after' },
        );
        if (counter !== null) return counter.n;
      } catch (thrown) {
        if (!isDuplicateKey(thrown)) throw thrown; // two first upserts met
      }
    }
    throw new AppError('SERVICE_UNAVAILABLE', { message: 'The counter of a log did not settle.' });
  }

  async fill(shard: string, sequence: number, body: T): Promise<boolean> {
    return this.#insert({ _id: `${shard}.${sequenceText(sequence)}`, body });
  }

  async #insert(document: Insertable<T>): Promise<boolean> {
    try {
      await this.#entries.insertOne(document);
      return true;
    } catch (thrown) {
      if (isDuplicateKey(thrown)) return false;
      throw thrown;
    }
  }

  async append(shard: string, body: T): Promise<number> {
    for (let attempt = 0; attempt < NUMBERS_TRIED_MAX; attempt++) {
      const sequence = await this.reserve(shard);
      if (await this.fill(shard, sequence, body)) return sequence;
    }
    throw new AppError('SERVICE_UNAVAILABLE', {
      message: 'Readers closed every number this writer took: it is too slow.',
    });
  }

  async last(shard: string): Promise<number> {
    const counter = await this.#counters.findOne({ _id: this.#counterOf(shard) });
    return counter?.n ?? 0;
  }

  async readAfter(shard: string, sequence: number): ReturnType<OrderedLog<T>['readAfter']> {
    const upTo = await this.last(shard);
    const entries: LogEntry<T>[] = [];
    for (let at = sequence; at < upTo; at += ENTRIES_READ_AT_ONCE) {
      entries.push(...(await this.#range(shard, at, Math.min(upTo, at + ENTRIES_READ_AT_ONCE))));
    }
    return { entries, upTo: Math.max(upTo, sequence) };
  }

  /** All of (after, upTo], once every number in it is filled. */
  async #range(shard: string, after: number, upTo: number): Promise<LogEntry<T>[]> {
    const deadline = performance.now() + this.#staleGapMs;
    const range = { $gt: `${shard}.${sequenceText(after)}`, $lte: `${shard}.${sequenceText(upTo)}` };
    for (;;) {
      const found = await this.#entries
        .find({ _id: range } as object)
        .sort({ _id: 1 })
        .toArray();
      if (found.length === upTo - after) {
        return found.flatMap(({ body }, index) => (body === undefined ? [] : [{ sequence: after + index + 1, body }]));
      }
      if (performance.now() < deadline) {
        await delay(POLL_MS);
        continue;
      }
      const filled = new Set(found.map(({ _id }) => _id));
      for (let n = after + 1; n <= upTo; n++) {
        const _id = `${shard}.${sequenceText(n)}`;
        if (!filled.has(_id)) await this.#insert({ _id });
      }
    }
  }
}

export function orderedLog<T>(db: Db, collection: string, options: OrderedLogOptions = {}): OrderedLog<T> {
  return new MongoOrderedLog<T>(db, collection, options);
}
