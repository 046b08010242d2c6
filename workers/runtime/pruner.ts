/**
 * Owns the end of finished jobs in Redis. They go out-of-band, oldest first, in chunks so small that whoever else asks Redis waits for
 * milliseconds: removing them as jobs finish, or all at once, holds Redis up for as long as there are many (bull-board #845: 10 minutes for 7 M).
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Queue } from 'bullmq';
import type { MayGoOn } from './duty.ts';

/** Jobs of one script: ~10 commands each, so about a millisecond. */
const CHUNK_JOBS = 50;
const PAUSE_MS_MIN = 1;
/** Whatever the bounds say, a result stays so long for who waits for it. */
const RESULT_MS_MIN = 60_000;

export interface KeptJobs {
  readonly completedMs: number;
  /** Completed jobs of one queue. */
  readonly completedMax: number;
  /** Failed jobs are dead letters: kept for the redrive window, whatever their number. */
  readonly failedMs: number;
}

export class Pruner {
  readonly #queues: readonly Queue[];
  readonly #kept: KeptJobs;

  constructor(queues: readonly Queue[], kept: KeptJobs) {
    this.#queues = queues;
    this.#kept = kept;
  }

  /** Removes what is older or more than is kept; returns the number of jobs removed. */
  async prune(mayGoOn: MayGoOn): Promise<number> {
    const { completedMs, completedMax, failedMs } = this.#kept;
    let removed = 0;
    for (const queue of this.#queues) {
      removed += await this.#clean(queue, 'completed', completedMs, Number.POSITIVE_INFINITY, mayGoOn);
      const excess = (await queue.getCompletedCount()) - completedMax;
      removed += await this.#clean(queue, 'completed', Math.min(RESULT_MS_MIN, completedMs), excess, mayGoOn);
      removed += await this.#clean(queue, 'failed', failedMs, Number.POSITIVE_INFINITY, mayGoOn);
    }
    return removed;
  }

  /** Up to `most` jobs that ended more than `graceMs` ago. Rests for as long as it worked: at most half of Redis' time is taken. */
  async #clean(
    queue: Queue,
    state: 'completed' | 'failed',
    graceMs: number,
    most: number,
    mayGoOn: MayGoOn,
  ): Promise<number> {
    let removed = 0;
    while (removed < most && (await mayGoOn())) {
      const started = performance.now();
      const chunk = Math.min(CHUNK_JOBS, most - removed);
      const gone = await queue.clean(graceMs, chunk, state);
      removed += gone.length;
      if (gone.length < chunk) break;
      await delay(Math.max(PAUSE_MS_MIN, performance.now() - started));
    }
    return removed;
  }
}
