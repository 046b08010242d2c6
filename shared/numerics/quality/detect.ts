/** Owns detection as a whole: which accounts of a data set are not people, with reasons. A coordinator; everything runs in threads. */
import type { ComputePool } from '../../compute/task.ts';
import { EVENT_TYPES, type EventType } from '../../contract-kit/event.ts';
import { sharedFloat32 } from '../sparse.ts';
import type { AccountActs, ItemColumns } from './acts.ts';
import type { Campaign, StatementRules } from './campaigns.ts';
import type { Prepared, RangeTraces } from './detect.task.ts';
import type { TypeCodes } from './traces.ts';
import type { AccountVerdict } from './verdict.ts';

const TASKS = new URL('./detect.task.ts', import.meta.url).href;
/** Accounts of one task: small enough that threads end together. */
const ACCOUNTS_PER_TASK = 500;

/** Acts that make a co-action: what is done with an item apart from what is said about it. 255: neither. */
const DONE = ['view', 'click', 'share', 'save', 'purchase', 'convert', 'comment', 'like'] as const;
const SAID = ['rating', 'thumb', 'not-interested'] as const;
const among = (types: readonly EventType[], type: EventType): boolean => types.includes(type);
const KIND_OF = Uint8Array.from(EVENT_TYPES, (type) => (among(DONE, type) ? 0 : among(SAID, type) ? 1 : 255));
const code = (type: EventType): number => EVENT_TYPES.indexOf(type);
const CODES: TypeCodes = {
  view: code('view'),
  rating: code('rating'),
  thumb: code('thumb'),
  refusal: code('not-interested'),
};

/** Ratings praise from this share of the scale, as in the interaction table. */
const PRAISE_SHARE = 0.6;

/** What statements say, for ratings up to `ratingMax`. */
export function statementRules(ratingMax: number): StatementRules {
  const says: Partial<Record<EventType, number>> = { like: 1, 'not-interested': -1, rating: 2, thumb: 2 };
  const from: Partial<Record<EventType, number>> = { rating: PRAISE_SHARE * ratingMax, thumb: 0.5 };
  return {
    rule: Int8Array.from(EVENT_TYPES, (type) => says[type] ?? 0),
    from: Float32Array.from(EVENT_TYPES, (type) => from[type] ?? 0),
  };
}

export interface QualityColumns {
  readonly acts: AccountActs;
  readonly items: ItemColumns;
  /** Highest rating there is. */
  readonly ratingMax: number;
}

export interface DetectContext {
  readonly pool: ComputePool;
  readonly signal?: AbortSignal;
}

export interface Detected {
  readonly verdicts: readonly AccountVerdict[];
  readonly campaigns: readonly Campaign[];
}

async function once<T>(name: string, payload: unknown, { pool, signal }: DetectContext): Promise<T> {
  const [answer] = await pool.runPhase<T>([{ module: TASKS, name, payload }], signal);
  return answer!;
}

/** Traces (accounts x TRACES, row-major) and links of all accounts. */
export async function detectTraces(columns: QualityColumns, context: DetectContext): Promise<RangeTraces> {
  const { acts } = columns;
  const prepared = await once<Prepared>('prepare', { acts, kindOf: KIND_OF }, context);
  const tasks = [];
  for (let from = 0; from < acts.accounts; from += ACCOUNTS_PER_TASK) {
    const to = Math.min(acts.accounts, from + ACCOUNTS_PER_TASK);
    tasks.push({ module: TASKS, name: 'traceRange', payload: { ...columns, ...prepared, codes: CODES, from, to } });
  }
  const ranges = await context.pool.runPhase<RangeTraces>(tasks, context.signal);
  const traces = sharedFloat32(ranges.reduce((sum, range) => sum + range.traces.length, 0));
  let at = 0;
  for (const range of ranges) {
    traces.set(range.traces, at);
    at += range.traces.length;
  }
  return { traces, links: ranges.flatMap(({ links }) => links) };
}

/** Accounts that are not people, and campaigns of explicit feedback. */
export async function detect(columns: QualityColumns, context: DetectContext): Promise<Detected> {
  const traced = await detectTraces(columns, context);
  const verdicts = await once<AccountVerdict[]>('judgeAll', traced, context);
  const rules = statementRules(columns.ratingMax);
  return { verdicts, campaigns: await once<Campaign[]>('findCampaigns', { acts: columns.acts, rules }, context) };
}
