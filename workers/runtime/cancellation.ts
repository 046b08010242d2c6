/**
 * Owns the way of a cancel from anywhere to a running attempt: a durable Redis key (for runs that wait or are between
 * attempts) and a published message (for runs at work). A batched read every 200 ms covers a message that was lost.
 */
import type { Redis } from 'ioredis';
import { markCancelled } from '../../jobs/client/cancel-mark.ts';
import { cancelChannel, cancelKey } from '../../shared/contract-kit/names.ts';
import { AppError } from '../../shared/errors.ts';
import { answered, Gather } from '../../shared/gather.ts';

const READ_INTERVAL_MS = 200;
/** Marks of one read. */
const READ_RUNS_MAX = 256;
/** Reads under way at once: whoever asks never waits for the answer to others. */
const READS_MAX = 16;

export class CancelWatch implements AsyncDisposable {
  readonly #redis: Redis;
  readonly #subscriber: Redis;
  readonly #prefix: string;
  readonly #active = new Map<string, AbortController>();
  readonly #onOther: (runKey: string) => void;
  /** Runs that are claimed or committed at the same moment ask together. */
  readonly #marks: Gather<string, boolean>;
  #timer: NodeJS.Timeout | undefined;
  #reading = false;

  private constructor(redis: Redis, prefix: string, onOther: (runKey: string) => void) {
    this.#redis = redis;
    this.#subscriber = redis.duplicate();
    this.#prefix = prefix;
    this.#onOther = onOther;
    this.#marks = new Gather({
      itemsMax: READ_RUNS_MAX,
      flightsMax: READS_MAX,
      send: async (runKeys) => (await this.#read(runKeys)).map(answered),
    });
  }

  /** `onOther` hears of runs that are not at work here (the orchestrator looks for its pipelines there). */
  static async open(redis: Redis, prefix: string, onOther: (runKey: string) => void = () => {}): Promise<CancelWatch> {
    const watch = new CancelWatch(redis, prefix, onOther);
    watch.#subscriber.on('error', () => {}); // ioredis reconnects; the batched read covers the gap
    watch.#subscriber.on('message', (_channel: string, runKey: string) => watch.#heard(runKey));
    await watch.#subscriber.subscribe(cancelChannel(prefix));
    watch.#timer = setInterval(() => void watch.#readMarks(), READ_INTERVAL_MS);
    watch.#timer.unref();
    return watch;
  }

  /** Aborts `controller` with CANCELLED once the run is cancelled; the returned function ends the watch. */
  watch(runKey: string, controller: AbortController): () => void {
    this.#active.set(runKey, controller);
    return () => {
      if (this.#active.get(runKey) === controller) this.#active.delete(runKey);
    };
  }

  isCancelled(runKey: string): Promise<boolean> {
    return this.#marks.add(runKey);
  }

  /** Throws CANCELLED when the run carries the mark. */
  async refuseIfCancelled(runKey: string): Promise<void> {
    if (await this.isCancelled(runKey)) throw new AppError('CANCELLED', { details: { runKey } });
  }

  async cancel(runKey: string): Promise<void> {
    await markCancelled(this.#redis, this.#prefix, runKey);
  }

  #heard(runKey: string): void {
    const controller = this.#active.get(runKey);
    if (controller === undefined) this.#onOther(runKey);
    else controller.abort(new AppError('CANCELLED', { details: { runKey } }));
  }

  async #readMarks(): Promise<void> {
    const runKeys = [...this.#active.keys()];
    if (this.#reading || runKeys.length === 0) return;
    this.#reading = true;
    try {
      for (const [index, isMarked] of (await this.#read(runKeys)).entries())
        if (isMarked) this.#heard(runKeys[index] as string);
    } catch {
      // Redis is away: the next round reads again, and no commit happens without the key being read.
    } finally {
      this.#reading = false;
    }
  }

  async #read(runKeys: readonly string[]): Promise<boolean[]> {
    const marks = await this.#redis.mget(runKeys.map((runKey) => cancelKey(this.#prefix, runKey)));
    return marks.map((mark) => mark !== null);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.#subscriber.disconnect();
  }
}
