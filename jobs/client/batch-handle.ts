/** Owns the one handle over the parts of a batch: it sums, follows and cancels them together. */
import type { Rejection } from '../../shared/contract-kit/event.ts';
import type { OutputOf } from '../registry.ts';
import type { JobHandle, JobProgress } from './job-handle.ts';
import { latestOf } from './latest.ts';
import type { JobState } from './transport.ts';
import type { WaitOptions } from './wait.ts';

export type IngestionOutput = OutputOf<'ingestion'>;

/** Where several parts disagree, the first of these that occurs speaks for the batch. */
const STATE_ORDER = ['failed', 'cancelled', 'gone', 'active', 'waiting', 'delayed', 'completed'] as const;

export class BatchHandle {
  readonly kind = 'ingestion';
  /** The jobs of the batch; none when every record was rejected by the client. */
  readonly parts: readonly JobHandle<'ingestion'>[];
  /** What the client rejected before anything was sent; `done()` adds what the workers rejected. */
  readonly rejected: readonly Rejection[];
  readonly #records: readonly number[];

  /** `records[i]`: number of records in part i. */
  constructor(parts: readonly JobHandle<'ingestion'>[], records: readonly number[], rejected: readonly Rejection[]) {
    this.parts = parts;
    this.rejected = rejected;
    this.#records = records;
  }

  get ids(): readonly string[] {
    return this.parts.map((part) => part.id);
  }

  /**
   * Sums of all parts; `rejected[].index` is the place in the caller's array, ascending. Rejects when a part failed for good;
   * enqueueing the batch again under its key then repeats nothing that went in.
   */
  async done(options: WaitOptions = {}): Promise<IngestionOutput> {
    return this.#sum(await Promise.all(this.parts.map((part) => part.done(options))));
  }

  /** Records of finished parts, and the shares of those at work; ends with the last part. */
  progress(): AsyncGenerator<JobProgress, void, undefined> {
    const total = this.#records.reduce((sum, records) => sum + records, 0);
    return latestOf((latest) => {
      if (total === 0) latest.end();
      const shares = this.#records.map(() => 0);
      const tell = () => {
        const done = shares.reduce((sum, share, part) => sum + share * (this.#records[part] ?? 0), 0);
        latest.push({ done: Math.round(done), total, label: 'records' });
      };
      const streams = this.parts.map((part) => part.progress());
      const follow = async (stream: AsyncGenerator<JobProgress>, part: number) => {
        for await (const { done, total: units } of stream) {
          shares[part] = units > 0 ? Math.min(1, done / units) : 0;
          tell();
        }
        shares[part] = 1;
        tell();
      };
      Promise.all(streams.map(follow)).then(
        () => latest.end(),
        (error: unknown) => latest.fail(error),
      );
      return () => {
        for (const stream of streams) void stream.return();
      };
    });
  }

  async cancel(): Promise<void> {
    await Promise.all(this.parts.map((part) => part.cancel()));
  }

  /** The sums if every part has completed, else undefined. */
  async result(): Promise<IngestionOutput | undefined> {
    const outputs = await Promise.all(this.parts.map((part) => part.result()));
    const finished = outputs.filter((output) => output !== undefined);
    return finished.length === outputs.length ? this.#sum(finished) : undefined;
  }

  async state(): Promise<JobState> {
    const states = new Set(await Promise.all(this.parts.map((part) => part.state())));
    return STATE_ORDER.find((state) => states.has(state)) ?? 'completed';
  }

  #sum(outputs: readonly IngestionOutput[]): IngestionOutput {
    let accepted = 0;
    let duplicates = 0;
    let quarantined = 0;
    const rejected = [...this.rejected];
    for (const output of outputs) {
      accepted += output.accepted;
      duplicates += output.duplicates;
      quarantined += output.quarantined ?? 0;
      rejected.push(...output.rejected);
    }
    rejected.sort((a, b) => a.index - b.index);
    return { accepted, duplicates, rejected, ...(quarantined === 0 ? {} : { quarantined }) };
  }
}
