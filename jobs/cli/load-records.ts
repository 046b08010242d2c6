/**
 * Owns loading a whole data set through the queue: items, people, consents and events, in this order, in batches,
 * with a bounded number of batches in flight. Killed and started again, nothing is stored twice: events are known by their ids.
 */
import { setTimeout } from 'node:timers/promises';
import type {
  CanonicalEvent,
  CatalogueItem,
  ConsentRecord,
  Person,
  Rejection,
} from '../../shared/contract-kit/event.ts';
import { AppError } from '../../shared/errors.ts';
import type { Purpose } from '../../shared/contract-kit/purposes.ts';
import type { BatchHandle } from '../client/batch-handle.ts';
import type { IngestionBatch } from '../ingestion/contract.ts';
import type { Millrace } from '../client/index.ts';

const BATCH_RECORDS = 1_000;
const BATCHES_IN_FLIGHT_MAX = 6;
/** Turns that one batch waits for, when its source sends faster than it may. */
const RATE_WAITS_MAX = 1_000;
const REJECTIONS_KEPT_MAX = 20;

type Stream<T> = AsyncIterable<readonly T[]> | Iterable<readonly T[]>;

/** A data set as the loader reads it. Streams are batches of any size. */
export interface RecordSource {
  readonly source: string;
  readonly items?: Stream<CatalogueItem>;
  readonly people?: Stream<Person>;
  readonly events: Stream<CanonicalEvent>;
  /** The data set's own consents. Absent: consents are written for everybody who appears, on the basis `dataset-licence`. */
  readonly consents?: Stream<ConsentRecord>;
  /** Records in all, for progress. */
  readonly total: number;
  /** Progress in another unit (bytes of a file) where the number of records is not known before. */
  readonly progress?: () => { readonly done: number; readonly total: number };
  readonly allowUnknownItems?: boolean;
  /** Told how many events from the first one are stored or refused for good, without a gap. */
  readonly onStored?: (events: number) => void;
}

export interface LoadOptions {
  /** Purposes of consents written for a data set that carries none; empty: write none. */
  readonly purposes: readonly Purpose[];
  readonly signal: AbortSignal;
  readonly onProgress: (done: number, total: number, label: string) => void;
}

export interface LoadReport {
  readonly items: number;
  readonly people: number;
  /** Consent records written on the basis of the data set's licence. */
  readonly licencedConsents: number;
  readonly events: {
    readonly accepted: number;
    readonly duplicates: number;
    readonly rejected: number;
    /** Beyond the limit of their person: they wait in the quarantine. Absent: none. */
    readonly quarantined?: number;
  };
  /** Refused events by the code that refused them. */
  readonly refusedBy: Readonly<Record<string, number>>;
  /** The first rejections, of any kind of record; `index` counts the records of their stream. */
  readonly rejections: readonly (Rejection & { readonly of: string })[];
}

interface Tally {
  accepted: number;
  duplicates: number;
  rejected: number;
  quarantined?: number;
}

/** How many records from the first one have ended without a gap, in whatever order their batches end. */
class Reached {
  readonly #ended = new Map<number, number>();
  #count = 0;

  end(first: number, records: number): number {
    this.#ended.set(first, records);
    for (let next = this.#ended.get(this.#count); next !== undefined; next = this.#ended.get(this.#count)) {
      this.#ended.delete(this.#count);
      this.#count += next;
    }
    return this.#count;
  }
}

/** Cuts any batches into batches of at most BATCH_RECORDS. */
async function* rebatch<T>(stream: Stream<T>): AsyncGenerator<readonly T[]> {
  let waiting: T[] = [];
  for await (const batch of stream) {
    for (const record of batch) {
      waiting.push(record);
      if (waiting.length < BATCH_RECORDS) continue;
      yield waiting;
      waiting = [];
    }
  }
  if (waiting.length > 0) yield waiting;
}

class Loader {
  readonly #client: Millrace;
  readonly #source: RecordSource;
  readonly #options: LoadOptions;
  readonly #rejections: (Rejection & { of: string })[] = [];
  readonly refusedBy: Record<string, number> = {};
  readonly #eventsReached = new Reached();
  #done = 0;
  licencedConsents = 0;

  constructor(client: Millrace, source: RecordSource, options: LoadOptions) {
    this.#client = client;
    this.#source = source;
    this.#options = options;
  }

  get rejections(): readonly (Rejection & { of: string })[] {
    return this.#rejections;
  }

  /** Sends one stream, a bounded number of batches at once. `before` runs ahead of each batch, in order. */
  async send<T>(
    of: string,
    stream: Stream<T> | undefined,
    toBatch: (records: readonly T[]) => IngestionBatch,
    before?: (records: readonly T[]) => Promise<void>,
  ): Promise<Tally> {
    const tally: Tally = { accepted: 0, duplicates: 0, rejected: 0 };
    if (stream === undefined) return tally;
    const inFlight = new Set<Promise<void>>();
    const failures: unknown[] = [];
    let first = 0;
    for await (const records of rebatch(stream)) {
      this.#options.signal.throwIfAborted();
      if (failures.length > 0) break;
      await before?.(records);
      const work: Promise<void> = this.#one(of, toBatch(records), records.length, first, tally)
        .catch((failure: unknown) => void failures.push(failure))
        .finally(() => inFlight.delete(work));
      inFlight.add(work);
      first += records.length;
      if (inFlight.size >= BATCHES_IN_FLIGHT_MAX) await Promise.race(inFlight);
    }
    await Promise.all(inFlight);
    if (failures.length > 0) throw failures[0];
    return tally;
  }

  async #one(of: string, batch: IngestionBatch, records: number, first: number, tally: Tally): Promise<void> {
    const handle = await this.#enqueue(batch);
    const { accepted, duplicates, rejected, quarantined } = await handle.done({ signal: this.#options.signal });
    tally.accepted += accepted;
    tally.duplicates += duplicates;
    tally.rejected += rejected.length;
    if (quarantined !== undefined) tally.quarantined = (tally.quarantined ?? 0) + quarantined;
    if (of === 'events') for (const { code } of rejected) this.refusedBy[code] = (this.refusedBy[code] ?? 0) + 1;
    for (const rejection of rejected.slice(0, REJECTIONS_KEPT_MAX - this.#rejections.length))
      this.#rejections.push({ ...rejection, index: first + rejection.index, of });
    if (of === 'consents of the licence') return;
    if (of === 'events') this.#source.onStored?.(this.#eventsReached.end(first, records));
    this.#done += records;
    const { done, total } = this.#source.progress?.() ?? { done: this.#done, total: this.#source.total };
    this.#options.onProgress(done, total, of);
  }

  /** As fast as the source's declared rate lets it. */
  async #enqueue(batch: IngestionBatch): Promise<BatchHandle> {
    for (let attempt = 1; ; attempt++)
      try {
        return await this.#client.ingestion.enqueue(batch);
      } catch (thrown) {
        if (!(thrown instanceof AppError) || thrown.code !== 'LIMIT_RATE' || attempt === RATE_WAITS_MAX) throw thrown;
        await setTimeout(Number(thrown.details.retryAfterMs), undefined, { signal: this.#options.signal });
      }
  }

  /**
   * Writes consents for people seen for the first time, on the basis of the data set's licence. They hold only for who has said
   * nothing: a withdrawal stands, however often the data set is imported.
   */
  licenceConsents(): (events: readonly CanonicalEvent[]) => Promise<void> {
    const seen = new Set<string>();
    const { source } = this.#source;
    const { purposes } = this.#options;
    return async (events) => {
      const fresh = [...new Set(events.map(({ user }) => user))].filter((user) => !seen.has(user));
      for (const user of fresh) seen.add(user);
      if (fresh.length === 0 || purposes.length === 0) return;
      const at = Date.now();
      const consents: ConsentRecord[] = fresh.map((user) => ({
        user,
        purposes: [...purposes],
        source,
        state: 'given',
        basis: 'dataset-licence',
        at,
      }));
      const { accepted } = await this.send('consents of the licence', [consents], (records) => ({
        source,
        consents: [...records],
      }));
      this.licencedConsents += accepted;
    };
  }
}

/** Loads everything; rejects with what stopped it. Bad records are reported, the good ones are in. */
export async function loadRecords(client: Millrace, data: RecordSource, options: LoadOptions): Promise<LoadReport> {
  const { source, allowUnknownItems = false } = data;
  const loader = new Loader(client, data, options);
  const items = await loader.send('items', data.items, (records) => ({ source, items: records }));
  const people = await loader.send('people', data.people, (records) => ({ source, people: records }));
  await loader.send('consents', data.consents, (records) => ({ source, consents: records }));
  const before = data.consents === undefined ? loader.licenceConsents() : undefined;
  const events = await loader.send(
    'events',
    data.events,
    (records) => ({ source, events: records, ...(allowUnknownItems ? { allowUnknownItems } : {}) }),
    before,
  );
  return {
    items: items.accepted,
    people: people.accepted,
    licencedConsents: loader.licencedConsents,
    events,
    refusedBy: loader.refusedBy,
    rejections: loader.rejections,
  };
}
