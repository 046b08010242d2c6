/** Owns which jobs are asked for in a chaos run and which of them are struck, and where, all of it drawn from the seed. */
import { type RandomStream, randomStream } from '../../shared/random.ts';
import type { Blow, ChaosInput, PointName } from './contracts.ts';

type ChaosKind = 'chaos-none' | 'chaos-record' | 'chaos-dataset';
export type PlannedKind = ChaosKind | 'ingestion' | 'publish' | 'chaos-start';

/** A blow against the process that has a job of this kind at this place, once. */
export interface Strike {
  readonly kind: PlannedKind;
  readonly at: PointName;
  readonly blow: Blow;
}

/** Who takes the job in: Redis itself, an outbox in a document of the producer's, or the gateway. */
export type Via = 'direct' | 'outbox' | 'gateway';

/** One job that is asked for. */
export type JobPlan = {
  readonly n: number;
  readonly atMs: number;
  /** Asked for twice under one key. */
  readonly isRepeated: boolean;
  readonly isCancelled: boolean;
  readonly via: Via;
  readonly strike?: Strike | undefined;
} & ({ readonly kind: ChaosKind; readonly input: ChaosInput } | { readonly kind: Exclude<PlannedKind, ChaosKind> });

const strikesOf = (kind: PlannedKind, blow: Blow, ...points: PointName[]): Strike[] =>
  points.map((at) => ({ kind, at, blow }));

const LEDGER_POINTS = ['before-claim', 'claimed', 'before-commit', 'after-commit', 'marked', 'completed'] as const;
/** Frozen until another process has ended the job: not after the acknowledgement, when no other gets it. */
export const STRIKES: readonly Strike[] = [
  ...strikesOf('chaos-dataset', 'kill', 'loaded', 'written', 'followed', ...LEDGER_POINTS),
  ...strikesOf('chaos-dataset', 'freeze', 'before-claim', 'loaded', 'before-commit', 'after-commit'),
  ...strikesOf('chaos-record', 'kill', 'loaded', 'before-commit', 'after-commit', 'completed'),
  ...strikesOf('chaos-record', 'freeze', 'before-commit', 'after-commit'),
  ...strikesOf('chaos-none', 'kill', 'loaded', 'completed'),
  ...strikesOf('chaos-none', 'freeze', 'loaded'),
  ...strikesOf('ingestion', 'kill', ...LEDGER_POINTS),
  ...strikesOf('ingestion', 'freeze', 'before-commit', 'after-commit'),
  ...strikesOf('publish', 'kill', ...LEDGER_POINTS),
  ...strikesOf('publish', 'freeze', 'before-commit', 'after-commit'),
  ...strikesOf('chaos-start', 'kill', ...LEDGER_POINTS),
];
/** Of so many jobs that may be struck one is. */
const STRUCK_EVERY = 12;

export interface JobScale {
  readonly seconds: number;
  readonly perSecond: number;
  /** Each once, on the first jobs of its kind; absent: all of STRIKES again and again, spread over the run. */
  readonly strikes?: readonly Strike[] | undefined;
}

/** Gives out strikes to jobs of their kind. */
class Striking {
  readonly #queues: Map<PlannedKind, Strike[]>;
  readonly #isOnce: boolean;
  #eligible = 0;

  constructor(random: RandomStream, strikes: readonly Strike[] | undefined) {
    this.#isOnce = strikes !== undefined;
    const drawn = (strikes ?? STRIKES).map((strike) => ({ strike, order: this.#isOnce ? 0 : random.uniform() }));
    const ordered = drawn.sort((a, b) => a.order - b.order).map(({ strike }) => strike);
    this.#queues = Map.groupBy(ordered, ({ kind }) => kind);
  }

  next(kind: PlannedKind): Strike | undefined {
    const queue = this.#queues.get(kind);
    if (!this.#isOnce && this.#eligible++ % STRUCK_EVERY !== 0) return undefined;
    const strike = queue?.shift();
    if (strike !== undefined && !this.#isOnce) queue?.push(strike);
    return strike;
  }

  /** Strikes for which there was no job. */
  get left(): number {
    return this.#isOnce ? [...this.#queues.values()].reduce((sum, queue) => sum + queue.length, 0) : 0;
  }
}

/** In order of time, `perSecond` of them. */
export function planJobs(seed: number, { seconds, perSecond, strikes }: JobScale): JobPlan[] {
  const random = randomStream(seed, 'jobs');
  const striking = new Striking(randomStream(seed, 'strikes'), strikes);
  const count = Math.round(seconds * perSecond);
  const plans = Array.from({ length: count }, (_, n): JobPlan => {
    const shared = {
      n,
      atMs: ((n + random.uniform()) / count) * seconds * 1000,
      isRepeated: random.uniform() < 0.1,
      isCancelled: random.uniform() < 0.03,
      via: 'direct' as Via,
    };
    const taken = random.uniform();
    const via: Via = taken < 0.4 ? 'outbox' : taken < 0.7 ? 'gateway' : 'direct';
    const struck = (kind: PlannedKind) => (shared.isCancelled ? undefined : striking.next(kind));
    const share = random.uniform();
    if (share < 0.1) return { ...shared, via, kind: 'ingestion', strike: struck('ingestion') };
    if (share < 0.2)
      return { ...shared, via: via === 'gateway' ? 'direct' : via, kind: 'publish', strike: struck('publish') };
    if (share < 0.23) return { ...shared, kind: 'chaos-start', strike: struck('chaos-start') };
    const kind = share < 0.45 ? 'chaos-none' : share < 0.65 ? 'chaos-record' : 'chaos-dataset';
    const workMs = Math.round(random.uniform() < 0.1 ? 500 + random.uniform() * 1500 : random.uniform() * 150);
    const failing = random.uniform();
    const fail = failing < 0.03 ? 'always' : failing < 0.1 ? 'once' : 'never';
    return { ...shared, kind, input: { n, workMs, fail }, strike: fail === 'never' ? struck(kind) : undefined };
  });
  if (striking.left > 0) throw new RangeError(`${striking.left} strikes found no job: ask for more jobs`);
  return plans;
}
