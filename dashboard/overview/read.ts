/** Owns the overview as data: every section read on its own, so that a service that is down empties its section only. */
import type { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { AppError } from '../../shared/errors.ts';
import { asHttpError } from '../../shared/http/errors.ts';
import type { PipelineRunDocument, RunDocument, Store } from '../../shared/store/ports.ts';
import type { Failure } from '../words.ts';
import { type BudgetSection, readBudget } from './budget.ts';
import { type Published, readLive } from './published.ts';
import { type QueueLine, readQueues } from './queues.ts';
import { readSchedules, type ScheduleLine } from './schedules.ts';

const RUNS_SHOWN = 12;
const PIPELINES_SHOWN = 4;
/** A section that takes longer says so instead of holding the page. */
const SECTION_MS_MAX = 5_000;

export type Section<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly failure: Failure };

export interface Totals {
  readonly people: number;
  readonly items: number;
  readonly events: number;
}

export interface Overview {
  readonly at: number;
  readonly tenant: string;
  readonly totals: Section<Totals>;
  readonly published: Section<Published | undefined>;
  readonly pipelines: Section<readonly PipelineRunDocument[]>;
  readonly runs: Section<readonly RunDocument[]>;
  readonly queues: Section<readonly QueueLine[]>;
  readonly schedules: Section<readonly ScheduleLine[]>;
  readonly budget: Section<BudgetSection | undefined>;
}

export interface OverviewSources {
  readonly store: Store;
  readonly queues: readonly Queue[];
  readonly redis: Redis;
  readonly prefix: string;
  readonly tenant: string;
  readonly now: () => number;
}

async function section<T>(service: string, work: Promise<T>): Promise<Section<T>> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new AppError('SERVICE_UNAVAILABLE', { message: `${service} does not answer.` })),
      SECTION_MS_MAX,
    );
  });
  try {
    return { ok: true, value: await Promise.race([work, late]) };
  } catch (thrown) {
    const { code, message } = asHttpError(thrown);
    return { ok: false, failure: { code, message } };
  } finally {
    clearTimeout(timer);
  }
}

async function readTotals(store: Store, tenant: string): Promise<Totals> {
  const [people, items, events] = await Promise.all([
    store.people.count(tenant),
    store.items.count(tenant),
    store.events.count(tenant),
  ]);
  return { people, items, events };
}

export async function readOverview(sources: OverviewSources): Promise<Overview> {
  const { store, queues, redis, prefix, tenant, now } = sources;
  const [totals, published, pipelines, runs, queueLines, schedules, budget] = await Promise.all([
    section('MongoDB', readTotals(store, tenant)),
    section('MongoDB', readLive(store, tenant)),
    section('MongoDB', store.pipelineRuns.latest(tenant, PIPELINES_SHOWN)),
    section('MongoDB', store.ledger.latest(tenant, RUNS_SHOWN)),
    section('Redis', readQueues(queues)),
    section('Redis', readSchedules(redis, prefix, store, tenant, now())),
    section('MongoDB', readBudget(store, tenant, now())),
  ]);
  return { at: now(), tenant, totals, published, pipelines, runs, queues: queueLines, schedules, budget };
}
