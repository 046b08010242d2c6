/** Owns the faults that strike by the clock in a chaos run: their names, how many, when and for how long, all of it drawn from the seed. */
import { randomStream } from '../../shared/random.ts';

export const FAULTS = [
  'kill',
  'gateway-kill',
  'freeze',
  'clock-step',
  'redis-restart',
  'redis-half-open',
  'redis-disk-full',
  'redis-failover',
  'redis-emptied',
  'mongodb-restart',
  'mongodb-half-open',
] as const;
export type FaultName = (typeof FAULTS)[number];

export interface Fault {
  readonly name: FaultName;
  readonly atMs: number;
  /** How long it lasts, or how far the clock is shifted; 0: it is over at once. */
  readonly ms: number;
  /** A draw in [0, 1) that picks the process, or whether a server is stopped or killed. */
  readonly pick: number;
}
export type FaultCounts = Readonly<Record<FaultName, number>>;

const AT_ONCE = { min: 0, max: 0 };
const RANGES: Readonly<Record<FaultName, { readonly min: number; readonly max: number }>> = {
  kill: AT_ONCE,
  'gateway-kill': AT_ONCE,
  // Longer than the lock of 6 s and a stalled check of 3 s: another worker has the job by then.
  freeze: { min: 10_000, max: 13_000 },
  // Either way. A retry that a fast clock has put off waits as long as the clock is ahead.
  'clock-step': { min: 2_000, max: 20_000 },
  'redis-restart': { min: 200, max: 1_000 },
  'redis-half-open': { min: 500, max: 4_000 },
  'redis-disk-full': { min: 1_000, max: 4_000 },
  'redis-failover': AT_ONCE,
  'redis-emptied': AT_ONCE,
  'mongodb-restart': { min: 200, max: 1_000 },
  'mongodb-half-open': { min: 500, max: 4_000 },
};

/** Of each fault so many. */
export const faultCounts = (of: (name: FaultName) => number): Record<FaultName, number> =>
  Object.fromEntries(FAULTS.map((name) => [name, of(name)])) as Record<FaultName, number>;
export const NO_FAULTS: FaultCounts = faultCounts(() => 0);

/** Seconds between two faults of a name, unless their number is given. */
const PERIOD_S: Readonly<Record<FaultName, number>> = {
  kill: 3,
  'gateway-kill': 10,
  freeze: 20,
  'clock-step': 10,
  'redis-restart': 30,
  'redis-half-open': 40,
  'redis-disk-full': 40,
  'redis-failover': 60,
  'redis-emptied': 60,
  'mongodb-restart': 40,
  'mongodb-half-open': 40,
};

export function defaultCounts(seconds: number, kills?: number): FaultCounts {
  const counts = faultCounts((name) => Math.max(1, Math.round(seconds / PERIOD_S[name])));
  return { ...counts, kill: kills ?? counts.kill };
}

/** Counts written as `kill=3,redis-half-open=2`; what is not named is not dealt. */
export function parseCounts(text: string): FaultCounts {
  const counts: Record<FaultName, number> = { ...NO_FAULTS };
  for (const part of text.split(',').filter((part) => part !== '')) {
    const [name, count = ''] = part.split('=');
    const known = FAULTS.find((fault) => fault === name);
    if (known === undefined || !/^\d+$/.test(count))
      throw new RangeError(`"${part}" is not NAME=COUNT; names: ${FAULTS.join(', ')}`);
    counts[known] = Number(count);
  }
  return counts;
}

/** Faults in order of time: those of one name are spread evenly, each at random within its share of the time. */
export function planFaults(seed: number, seconds: number, counts: FaultCounts): Fault[] {
  const faults: Fault[] = [];
  for (const name of FAULTS) {
    const random = randomStream(seed, 'faults', name);
    const { min, max } = RANGES[name];
    for (let n = 0; n < counts[name]; n++) {
      const atMs = ((n + random.uniform()) / counts[name]) * seconds * 1000;
      faults.push({ name, atMs, ms: min + random.uniform() * (max - min), pick: random.uniform() });
    }
  }
  return faults.sort((a, b) => a.atMs - b.atMs);
}
