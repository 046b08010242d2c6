/**
 * Owns duties: background work that one process of a deployment does at a time. A lease in Redis says which; the holder keeps it from
 * turn to turn, and when it is gone another process takes over as soon as the lease has run out. Two at once for a moment (a frozen
 * holder that wakes) must do no harm: the work is idempotent, and asks before each part whether it still holds the lease.
 */
import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';

/** Turns that a holder may miss before another takes over. */
const LEASE_TURNS = 3;
const LEASE_MS_MIN = 10_000;

/** Extends the lease if it is ours still. */
const EXTEND = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0`;
const RELEASE = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`;

/** True while the work may go on: the lease is held, and nobody has asked the process to stop. */
export type MayGoOn = () => Promise<boolean>;

export interface DutyOptions {
  readonly redis: Redis;
  readonly prefix: string;
  readonly name: string;
  readonly everyMs: number;
  readonly work: (mayGoOn: MayGoOn) => Promise<void>;
  readonly onError: (thrown: unknown) => void;
}

export class Duty implements AsyncDisposable {
  readonly #options: DutyOptions;
  readonly #key: string;
  readonly #leaseMs: number;
  readonly #token = randomUUID();
  readonly #timer: NodeJS.Timeout;
  #turn: Promise<boolean> | undefined;
  #isStopped = false;
  #extendedAt = 0;

  constructor(options: DutyOptions) {
    this.#options = options;
    this.#key = `${options.prefix}:duty:${options.name}`;
    this.#leaseMs = Math.max(LEASE_MS_MIN, options.everyMs * LEASE_TURNS);
    this.#timer = setInterval(() => void this.attend().catch(options.onError), options.everyMs);
    this.#timer.unref();
  }

  /** One turn now, or the one under way. False: another process holds the duty. */
  attend(): Promise<boolean> {
    this.#turn ??= this.#attend().finally(() => {
      this.#turn = undefined;
    });
    return this.#turn;
  }

  async #attend(): Promise<boolean> {
    if (this.#isStopped) return false;
    const taken = await this.#options.redis.set(this.#key, this.#token, 'PX', this.#leaseMs, 'NX');
    if (taken === null && !(await this.#extend())) return false;
    this.#extendedAt = performance.now();
    await this.#options.work(() => this.#mayGoOn());
    return true;
  }

  async #mayGoOn(): Promise<boolean> {
    if (this.#isStopped) return false;
    if (performance.now() - this.#extendedAt < this.#leaseMs / 4) return true;
    return this.#extend();
  }

  async #extend(): Promise<boolean> {
    const extended = await this.#options.redis.eval(EXTEND, 1, this.#key, this.#token, this.#leaseMs);
    if (extended === 1) this.#extendedAt = performance.now();
    return extended === 1;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#timer);
    await this.#turn?.catch(() => undefined); // its own caller, or onError, was told
    await this.#options.redis.eval(RELEASE, 1, this.#key, this.#token).catch(() => undefined); // it runs out by itself
  }
}
