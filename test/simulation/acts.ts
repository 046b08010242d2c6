/** Owns what happens in a simulated world: which jobs are asked for, drawn from the seed, about what was made so far. */
import { PURPOSES } from '../../shared/contract-kit/purposes.ts';
import type { RandomStream } from '../../shared/random.ts';

export const SOURCES = ['web', 'mobile', 'films'] as const;
export const USERS = ['canary-ada', 'canary-bo', 'canary-cy', 'canary-di'] as const;
const ITEMS = ['item-1', 'item-2', 'item-3', 'item-4', 'item-5'] as const;
/** Views whose features are made of events alone, and quickly. */
const VIEWS = ['behaviour', 'engagement', 'context', 'network'] as const;
const HOUR_MS = 3600_000;

export interface Asked {
  readonly kind: string;
  readonly input: unknown;
  /** Absent: the job is like no other. */
  readonly key?: string;
}

/** Versions that are there to be read. */
export interface Made {
  readonly datasets: readonly string[];
  readonly features: readonly string[];
  readonly embeddings: readonly string[];
  /** Batches of events that were sent. */
  readonly batches: readonly unknown[];
}

type Draw = (draw: RandomStream, now: number, made: Made) => Asked | undefined;

export function pick<T>(draw: RandomStream, from: readonly T[]): T {
  return from[draw.below(from.length)]!;
}

const some = <T>(draw: RandomStream, from: readonly T[]): T[] => {
  const left = from.filter(() => draw.below(2) === 0);
  return left.length === 0 ? [pick(draw, from)] : left;
};

function events(draw: RandomStream, now: number): Asked {
  const source = pick(draw, SOURCES);
  const batch = Array.from({ length: 1 + draw.below(5) }, (_, n) => {
    const user = pick(draw, USERS);
    const base = { id: `e-${draw.uint32()}-${n}`, user, occurredAt: now - draw.below(48) * HOUR_MS };
    const kind = draw.below(8);
    if (kind === 0) return { ...base, type: 'search', text: `${user} looks` };
    if (kind === 1 && source === 'films') return { ...base, type: 'follow', target: pick(draw, USERS) };
    return { ...base, type: 'view', item: pick(draw, ITEMS), value: 50 + draw.below(50) };
  });
  return { kind: 'ingestion', input: { source, events: batch, allowUnknownItems: true } };
}

function consents(draw: RandomStream, now: number): Asked {
  const records = some(draw, USERS).map((user) => ({
    user,
    purposes: some(draw, PURPOSES),
    source: draw.below(2) === 0 ? '*' : pick(draw, SOURCES),
    state: draw.below(5) < 3 ? 'given' : 'withdrawn',
    // Now and then a word comes in late.
    at: now - (draw.below(6) === 0 ? draw.below(HOUR_MS) : 0),
  }));
  return { kind: 'ingestion', input: { source: pick(draw, SOURCES), consents: records } };
}

const people: Draw = (draw) => {
  const records = some(draw, USERS).map((id) => ({ id, name: `Name of ${id}`, attributes: { timeZone: 'UTC' } }));
  return { kind: 'ingestion', input: { source: pick(draw, SOURCES), people: records } };
};

/** The same batch under another name: an outbox that is relayed twice, a late producer. */
const replay: Draw = (draw, _now, { batches }) =>
  batches.length === 0 ? undefined : { kind: 'ingestion', input: pick(draw, batches) };

const withdraw: Draw = (draw) => {
  const source = draw.below(2) === 0 ? '*' : pick(draw, SOURCES);
  const purposes = draw.below(2) === 0 ? PURPOSES : some(draw, PURPOSES);
  return { kind: 'governance', input: { act: 'withdraw', user: pick(draw, USERS), source, purposes } };
};

const person =
  (act: 'erase' | 'readmit'): Draw =>
  (draw) => ({ kind: 'governance', input: { act, user: pick(draw, USERS) } });

const compact: Draw = () => ({ kind: 'ingestion', input: { compact: {} } });

const build: Draw = (draw, _now, { datasets }) =>
  datasets.length === 0
    ? undefined
    : { kind: 'feature-build', input: { dataset: pick(draw, datasets), view: pick(draw, VIEWS) } };

const segments: Draw = (draw, _now, { features }) =>
  features.length === 0
    ? undefined
    : { kind: 'segmentation', input: { features: pick(draw, features), k: 2, restarts: 1 } };

const train: Draw = (draw, _now, { datasets }) => {
  if (datasets.length === 0) return undefined;
  const params = { factors: 2, epochs: 1 };
  return { kind: 'embedding-training', input: { dataset: pick(draw, datasets), model: 'ials', params, holdout: 0 } };
};

const candidates: Draw = (draw, _now, { datasets, embeddings }) =>
  datasets.length === 0 || embeddings.length === 0
    ? undefined
    : {
        kind: 'candidate-generation',
        input: { dataset: pick(draw, datasets), embeddings: pick(draw, embeddings), k: 3 },
      };

const ask: Draw = (draw, _now, { datasets }) =>
  datasets.length === 0 ? undefined : { kind: 'asking', input: { dataset: pick(draw, datasets), actsMin: 1 } };

/** How often each comes, of 100. */
const WEIGHTS: readonly (readonly [number, Draw])[] = [
  [24, events],
  [20, consents],
  [5, people],
  [4, replay],
  [5, withdraw],
  [3, person('erase')],
  [2, person('readmit')],
  [11, compact],
  [7, build],
  [5, segments],
  [5, train],
  [4, candidates],
  [5, ask],
];
const TOTAL = WEIGHTS.reduce((sum, [weight]) => sum + weight, 0);

/** The next thing that is asked for; undefined: there is nothing to ask it about yet. */
export function nextAct(draw: RandomStream, now: number, made: Made): Asked | undefined {
  let at = draw.below(TOTAL);
  for (const [weight, act] of WEIGHTS) {
    if (at < weight) return act(draw, now, made);
    at -= weight;
  }
  return undefined;
}

/** What every world begins with: items, people who allow much, and something that they did. */
export function beginning(draw: RandomStream, now: number): Asked[] {
  const given = USERS.map((user) => ({ user, purposes: some(draw, PURPOSES), source: '*', at: now - 24 * HOUR_MS }));
  return [{ kind: 'ingestion', input: { source: 'films', consents: given } }, events(draw, now), events(draw, now)];
}
