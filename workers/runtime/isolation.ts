/**
 * Owns who runs beside whom in one process, so that a process that dies says whom it died of. A job that went down with its worker is a suspect
 * only: the process may have been killed from outside, or by a neighbour. So after some of that it runs alone, and what happens then counts.
 *
 * Invariants
 * 1. While a turn is alone, no other turn of the process is at work.
 * 2. Only a turn that began alone and did not end in words counts against a run, and such turns lie apart in time.
 * 3. Whoever waits here, waits for ISOLATION_WAIT_MS at most; then its job is put off, for this process or another.
 */
import type { Redis } from 'ioredis';
import { aloneKey } from '../../shared/contract-kit/names.ts';
import { AppError } from '../../shared/errors.ts';

/** Times that a job went down with its worker until it is a suspect. */
export const SUSPECT_AFTER = 2;
/** Turns alone that did not end in words until the run is parked as poisonous. */
export const ALONE_MAX = 3;
/**
 * Between the first such turn and the second, and twice as long to the third: kills from outside come in storms (a deploy, a machine that runs out of
 * memory), and one that is over within three times this parks nobody.
 */
const ALONE_SPACING_MS = 20_000;
const ISOLATION_WAIT_MS = 5_000;
/** A count that nobody has added to for so long is forgotten. */
const COUNT_TTL_S = 7 * 24 * 3600;

export interface AloneOptions {
  readonly spacingMs?: number;
  readonly now?: () => number;
}

interface Waiting {
  readonly isAlone: boolean;
  readonly grant: () => void;
}

/** The turns of one process, in all its pools. */
export class Isolation {
  /** Turns at work. */
  #active = 0;
  #isAlone = false;
  /** In the order of coming. One that wants to be alone lets nobody after it pass: else it would wait for ever. */
  readonly #waiting: Waiting[] = [];

  readonly #counts: AloneCounts;

  constructor(counts: AloneCounts) {
    this.#counts = counts;
  }

  turn(runKey: string): Turn {
    return new Turn(this, this.#counts, runKey);
  }

  /** Resolves once the turn may begin. Throws ISOLATION_BUSY after ISOLATION_WAIT_MS, and what the signal says. */
  enter(isAlone: boolean, signal: AbortSignal): Promise<void> | undefined {
    if (this.#waiting.length === 0 && this.#fits(isAlone)) {
      this.#begin(isAlone);
      return undefined;
    }
    return this.#wait(isAlone, signal);
  }

  leave(): void {
    this.#active -= 1;
    this.#isAlone = false;
    this.#grantNext();
  }

  async #wait(isAlone: boolean, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiting: Waiting = { isAlone, grant: resolve };
    this.#waiting.push(waiting);
    const giveUp = (reason: unknown): void => {
      const at = this.#waiting.indexOf(waiting);
      if (at < 0) return; // granted in this moment
      this.#waiting.splice(at, 1);
      reject(reason);
      this.#grantNext();
    };
    const onAbort = (): void => giveUp(signal.reason);
    const timer = setTimeout(() => giveUp(new AppError('ISOLATION_BUSY')), ISOLATION_WAIT_MS);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    }
  }

  #fits(isAlone: boolean): boolean {
    return isAlone ? this.#active === 0 : !this.#isAlone;
  }

  #begin(isAlone: boolean): void {
    this.#active += 1;
    this.#isAlone = isAlone;
  }

  #grantNext(): void {
    for (let next = this.#waiting[0]; next !== undefined && this.#fits(next.isAlone); next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#begin(next.isAlone);
      next.grant();
    }
  }
}

/** One delivery's part in it. */
export class Turn {
  readonly #isolation: Isolation;
  readonly #counts: AloneCounts;
  readonly #runKey: string;
  #isIn = false;
  #isCounted = false;

  constructor(isolation: Isolation, counts: AloneCounts, runKey: string) {
    this.#isolation = isolation;
    this.#counts = counts;
    this.#runKey = runKey;
  }

  /** Beside others. Throws ISOLATION_BUSY. */
  async enter(signal: AbortSignal): Promise<void> {
    await this.#isolation.enter(false, signal);
    this.#isIn = true;
  }

  /**
   * Alone, from now on, and counted; it steps out first, so that two who want it do not wait for each other. Throws ISOLATION_BUSY, and
   * RUN_POISONOUS when ALONE_MAX turns before it did not end in words.
   */
  async alone(signal: AbortSignal, suspicion: Readonly<Record<string, unknown>>): Promise<void> {
    this.leave();
    await this.#isolation.enter(true, signal);
    this.#isIn = true;
    this.#isCounted = true;
    await this.#counts.begin(this.#runKey, suspicion);
  }

  /** It ended in words: the input does not kill its process. Never rejects: a count that stays is one turn less. */
  async settled(): Promise<void> {
    if (this.#isCounted) await this.#counts.clear(this.#runKey).catch(() => {});
    this.#isCounted = false;
  }

  /** Idempotent. */
  leave(): void {
    if (this.#isIn) this.#isolation.leave();
    this.#isIn = false;
  }
}

/** Turns alone of each run that have not ended in words. In Redis, beside the jobs: one that is emptied forgets both. */
export class AloneCounts {
  readonly #redis: Redis;
  readonly #prefix: string;
  readonly #spacingMs: number;
  readonly #now: () => number;

  constructor(redis: Redis, prefix: string, { spacingMs = ALONE_SPACING_MS, now = Date.now }: AloneOptions = {}) {
    this.#redis = redis;
    this.#prefix = prefix;
    this.#spacingMs = spacingMs;
    this.#now = now;
  }

  /** A turn alone begins. Throws ISOLATION_BUSY when it is too early for another one, and RUN_POISONOUS. */
  async begin(runKey: string, suspicion: Readonly<Record<string, unknown>>): Promise<void> {
    const key = aloneKey(this.#prefix, runKey);
    const [said, at] = await this.#redis.hmget(key, 'turns', 'at');
    const turns = Number(said ?? 0);
    if (turns >= ALONE_MAX) throw new AppError('RUN_POISONOUS', { details: { runKey, ...suspicion, alone: turns } });
    const retryAfterMs = Number(at ?? 0) + turns * this.#spacingMs - this.#now();
    if (turns > 0 && retryAfterMs > 0) throw new AppError('ISOLATION_BUSY', { details: { runKey, retryAfterMs } });
    // One delivery at a time holds the job: nobody counts in between.
    await this.#redis
      .multi()
      .hset(key, { turns: turns + 1, at: this.#now() })
      .expire(key, COUNT_TTL_S)
      .exec();
  }

  async clear(runKey: string): Promise<void> {
    await this.#redis.del(aloneKey(this.#prefix, runKey));
  }
}
