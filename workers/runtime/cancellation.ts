/**
 * Owns the way of a cancel from anywhere to a running attempt: a durable Redis key (for runs that wait or are between
 * attempts) and a published message (for runs at work). A batched read every 200 ms covers a message that was lost.
 */
import type { Redis } from 'ioredis';
import { CANCEL_TTL_S, cancelChannel, cancelKey } from '../../shared/contract-kit/names.ts';
import { AppError } from '../../shared/errors.ts';

const READ_INTERVAL_MS = 200;

export class CancelWatch implements AsyncDisposable {
  readonly #redis: Redis;
  readonly #subscriber: Redis;
  readonly #prefix: string;
  readonly #active = new Map<string, AbortController>();
  readonly #onOther: (runKey: string) => void;
  #timer: NodeJS.Timeout | undefined;
  #reading = false;

  private constructor(redis: Redis, prefix: string, onOther: (runKey: string) => void) {
    this.#redis = redis;
    this.#subscriber = redis.duplicate();
    this.#prefix = prefix;
    this.#onOther = onOther;
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

  async isCancelled(runKey: string): Promise<boolean> {
    return (await this.#redis.exists(cancelKey(this.#prefix, runKey))) === 1;
  }

  /** Throws CANCELLED when the run carries the mark. */
  async refuseIfCancelled(runKey: string): Promise<void> {
    if (await this.isCancelled(runKey)) throw new AppError('CANCELLED', { details: { runKey } });
  }

  async cancel(runKey: string): Promise<void> {
    await this.#redis.set(cancelKey(this.#prefix, runKey), '1', 'EX', CANCEL_TTL_S);
    await this.#redis.publish(cancelChannel(this.#prefix), runKey);
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
      const marks = await this.#redis.mget(runKeys.map((runKey) => cancelKey(this.#prefix, runKey)));
      for (const [index, mark] of marks.entries()) if (mark !== null) this.#heard(runKeys[index]!);
    } catch {
      // Redis is away: the next round reads again, and no commit happens without the key being read.
    } finally {
      this.#reading = false;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.#subscriber.disconnect();
  }
}
