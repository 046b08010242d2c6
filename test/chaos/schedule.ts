/** Owns what happens when in a chaos run: which jobs are asked for and which faults strike, all of it drawn from the seed. */
import { randomStream } from '../../shared/random.ts';
import type { Blow, ChaosInput } from './contracts.ts';

export const FAULTS = [
  'kill',
  'freeze',
  'redis-restart',
  'redis-half-open',
  'mongodb-restart',
  'mongodb-half-open',
] as const;
export type FaultName = (typeof FAULTS)[number];

/** Faults that this harness does not deal yet; every report names them. */
export const NOT_DEALT = ['disk full', 'Sentinel failover', 'clock steps'] as const;

export interface Fault {
  readonly name: FaultName;
  readonly atMs: number;
  /** How long it lasts; 0 for kills. */
  readonly ms: number;
  /** A draw in [0, 1) that picks the process, or whether a server is stopped or killed. */
  readonly pick: number;
}
export type FaultCounts = Readonly<Record<FaultName, number>>;

/** Longer than the lock of 6 s and a stalled check of 3 s: another worker has the job by then. */
const FREEZE_MS = { min: 10_000, max: 13_000 };
const RANGES: Readonly<Record<FaultName, { readonly min: number; readonly max: number }>> = {
  kill: { min: 0, max: 0 },
  freeze: FREEZE_MS,
  'redis-restart': { min: 200, max: 2_000 },
  'redis-half-open': { min: 500, max: 4_000 },
  'mongodb-restart': { min: 200, max: 1_000 },
  'mongodb-half-open': { min: 500, max: 4_000 },
};

export const NO_FAULTS: FaultCounts = {
  kill: 0,
  freeze: 0,
  'redis-restart': 0,
  'redis-half-open': 0,
  'mongodb-restart': 0,
  'mongodb-half-open': 0,
};

export function defaultCounts(seconds: number, kills?: number): FaultCounts {
  const each = (period: number): number => Math.max(1, Math.round(seconds / period));
  return {
    kill: kills ?? each(3),
    freeze: each(20),
    'redis-restart': each(25),
    'redis-half-open': each(40),
    'mongodb-restart': each(40),
    'mongodb-half-open': each(40),
  };
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

export type JobPlan = {
  readonly n: number;
  readonly atMs: number;
  /** Asked for twice under one key. */
  readonly isRepeated: boolean;
  readonly isCancelled: boolean;
} & (
  | { readonly kind: 'chaos-none' | 'chaos-record' | 'chaos-dataset'; readonly input: ChaosInput }
  | { readonly kind: 'ingestion' | 'publish' | 'chaos-start' }
);

/** Blows in turn; the first three are those by which the planted bugs show. */
const BLOWS: readonly Blow[] = [
  { at: 'before-commit', kind: 'freeze', ms: 11_000 },
  { at: 'after-commit', kind: 'kill', ms: 0 },
  { at: 'completed', kind: 'kill', ms: 0 },
  { at: 'loaded', kind: 'kill', ms: 0 },
  { at: 'followed', kind: 'kill', ms: 0 },
  { at: 'before-commit', kind: 'kill', ms: 0 },
  { at: 'written', kind: 'kill', ms: 0 },
  { at: 'after-commit', kind: 'freeze', ms: 11_000 },
];
/** Every so many jobs that may carry a blow, one does. */
const BLOW_EVERY = 16;

/** In order of time, `perSecond` of them. */
export function planJobs(seed: number, seconds: number, perSecond: number, blowEvery = BLOW_EVERY): JobPlan[] {
  const random = randomStream(seed, 'jobs');
  const count = Math.round(seconds * perSecond);
  let eligible = 0;
  return Array.from({ length: count }, (_, n): JobPlan => {
    const shared = {
      n,
      atMs: ((n + random.uniform()) / count) * seconds * 1000,
      isRepeated: random.uniform() < 0.1,
      isCancelled: random.uniform() < 0.03,
    };
    const share = random.uniform();
    if (share < 0.1) return { ...shared, kind: 'ingestion' };
    if (share < 0.2) return { ...shared, kind: 'publish' };
    if (share < 0.23) return { ...shared, kind: 'chaos-start' };
    const kind = share < 0.45 ? 'chaos-none' : share < 0.65 ? 'chaos-record' : 'chaos-dataset';
    const workMs = Math.round(random.uniform() < 0.1 ? 500 + random.uniform() * 1500 : random.uniform() * 150);
    const failing = random.uniform();
    const fail = failing < 0.03 ? 'always' : failing < 0.1 ? 'once' : 'never';
    if (kind !== 'chaos-dataset' || shared.isCancelled || fail !== 'never' || eligible++ % blowEvery !== 0)
      return { ...shared, kind, input: { n, workMs, fail } };
    return {
      ...shared,
      kind,
      input: { n, workMs, fail, blow: BLOWS[Math.floor((eligible - 1) / blowEvery) % BLOWS.length]! },
    };
  });
}
