/**
 * Owns the blows that are tied to places instead of moments. Worker processes announce the named places of every attempt and wait
 * for leave to go on; the process whose job is to be struck there is killed, or frozen until another process has
 * ended the job. So the same strikes are met on a slow machine and on a fast one.
 */
import type { Blow, PointName } from './contracts.ts';

/** What can be struck: one worker process. */
export interface Target {
  readonly isReady: boolean;
  readonly isFrozen: boolean;
  kill(): void;
  freeze(): void;
  thaw(): void;
  /** Gives leave to go on. */
  go(n: number): void;
}

export interface Planned {
  readonly key: string;
  readonly at: PointName;
  readonly blow: Blow;
}

interface Hold {
  readonly target: Target;
  readonly n: number;
  readonly planned: Planned;
}

/** In case nobody ends the job of a frozen process: Redis may have forgotten it. */
const FREEZE_MS_MAX = 25_000;
const ZOMBIE_MS = 2_000;

export interface StrikeTimes {
  /** Jobs that are to be struck wait so long for others, so that one kill strikes several. */
  readonly gatherMs?: number | undefined;
  /** Longest freeze of a process whose job nobody ends. */
  readonly freezeMsMax?: number | undefined;
}

export class Strikes {
  readonly dealt: Planned[] = [];
  readonly #due = new Map<string, Planned>();
  readonly #targets: () => readonly Target[];
  readonly #gatherMs: number;
  readonly #freezeMsMax: number;
  #holds: Hold[] = [];
  /** Frozen processes, and ones that have not yet gone on after it, by the key of the job that they were struck at. */
  readonly #zombies = new Map<Target, string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(targets: () => readonly Target[], { gatherMs = 0, freezeMsMax = FREEZE_MS_MAX }: StrikeTimes = {}) {
    this.#targets = targets;
    this.#gatherMs = gatherMs;
    this.#freezeMsMax = freezeMsMax;
  }

  plan(planned: Planned): void {
    this.#due.set(planned.key, planned);
  }

  /** Planned and not dealt: their jobs never came by, because another blow was quicker. */
  get missed(): readonly Planned[] {
    return [...this.#due.values()];
  }

  /** A process has come to a place of an attempt at a job. */
  reached(target: Target, n: number, key: string, at: PointName): void {
    this.#zombieMoved(target, key);
    const planned = this.#due.get(key);
    if (planned === undefined || planned.at !== at) return target.go(n);
    this.#holds.push({ target, n, planned });
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#dealAll(), this.#gatherMs);
  }

  /** A process says that a job has ended. */
  ended(target: Target, key: string): void {
    this.#zombieMoved(target, key);
    for (const [zombie, struckAt] of this.#zombies) if (zombie !== target && struckAt === key) this.#thaw(zombie, key);
  }

  /** An attempt that ends because its lock is gone says nothing any more: the process is soon free for another blow even so. */
  #thaw(zombie: Target, key: string): void {
    zombie.thaw();
    setTimeout(() => this.#zombieMoved(zombie, key), ZOMBIE_MS);
  }

  /** A process is ready, awake again or gone: what had to wait for it may be dealt. */
  changed(): void {
    if (this.#holds.length > 0) this.#dealAll();
  }

  gone(target: Target): void {
    this.#holds = this.#holds.filter((hold) => hold.target !== target);
    this.#zombies.delete(target);
    this.changed();
  }

  /** It has been thawed and has gone on from where it was struck: free for another blow. */
  #zombieMoved(target: Target, key: string): void {
    if (!target.isFrozen && this.#zombies.get(target) === key) {
      this.#zombies.delete(target);
      this.changed();
    }
  }

  #dealAll(): void {
    for (const target of new Set(this.#holds.map((hold) => hold.target))) this.#deal(target);
  }

  #deal(target: Target): void {
    if (this.#zombies.has(target) || target.isFrozen) return;
    const own = this.#holds.filter((hold) => hold.target === target);
    const freeze = own.find(({ planned }) => planned.blow === 'freeze');
    if (freeze === undefined) {
      for (const hold of own) this.#done(hold);
      target.kill();
      return;
    }
    const isAnotherAwake = this.#targets().some((other) => other !== target && other.isReady && !other.isFrozen);
    if (!isAnotherAwake) return; // somebody must be left to take the job
    this.#done(freeze);
    this.#zombies.set(target, freeze.planned.key);
    target.freeze();
    target.go(freeze.n);
    const { key } = freeze.planned;
    setTimeout(() => this.#zombies.get(target) === key && this.#thaw(target, key), this.#freezeMsMax).unref();
  }

  #done(hold: Hold): void {
    this.#holds = this.#holds.filter((other) => other !== hold);
    this.#due.delete(hold.planned.key);
    this.dealt.push(hold.planned);
  }
}
