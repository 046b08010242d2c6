/**
 * Owns what the chaos kinds do. Their effects can be counted from outside: a run of `chaos-dataset` writes a version that
 * nobody sees (`chaos_versions`) and, once it has committed, names it (`chaos_effects`).
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Db } from 'mongodb';
import { AppError } from '../../shared/errors.ts';
import type { PipelineRunDocument, RunDocument } from '../../shared/store/ports.ts';
import { type AnyProcessor, defineProcessor, type RunContext } from '../../workers/runtime/processor.ts';
import {
  type ChaosContract,
  type ChaosInput,
  chaosDataset,
  chaosNone,
  chaosRecord,
  chaosStart,
  DIAMOND,
} from './contracts.ts';
import type { Points } from './points.ts';

interface Named {
  readonly _id: string;
  readonly runKey: string;
  readonly version: string;
}

async function compute(input: ChaosInput, { runKey, signal }: RunContext, points: Points): Promise<number> {
  await pause(input.workMs, undefined, { signal });
  if (input.fail === 'always') throw new AppError('INPUT_INVALID', { message: 'Refused, as asked.' });
  if (input.fail === 'once' && points.isFirst(`failed-${runKey}`))
    throw new AppError('INTERNAL', { message: 'Failed once, as asked.' });
  return input.n * input.n;
}

function chaosProcessor(contract: ChaosContract, points: Points, versions?: Db): AnyProcessor {
  const processor = defineProcessor<ChaosContract, ChaosInput, number>({
    contract,
    load: async (input, { runKey }) => {
      await points.reach(runKey, 'loaded');
      return input;
    },
    compute: (input, context) => compute(input, context, points),
    write: async (square, { runKey }) => {
      if (versions === undefined) return { output: { square } };
      const version = randomUUID();
      await stored(versions.collection<Named>('chaos_versions').insertOne({ _id: version, runKey, version }));
      await points.reach(runKey, 'written');
      return { output: { square }, version, plan: { version } };
    },
    follow: async (run) => {
      if (versions !== undefined) await name(versions, run);
      await points.reach(run.runKey, 'followed');
      return undefined;
    },
  });
  return processor;
}

/** As the store's ports do: a server that is away is a passing fault. */
async function stored<T>(write: Promise<T>): Promise<T> {
  try {
    return await write;
  } catch (cause) {
    throw new AppError('SERVICE_UNAVAILABLE', { message: 'The store of the chaos kinds is away.', cause });
  }
}

/** Idempotent for one commit; two commits of one run would give two effects. */
async function name(db: Db, { runKey, version = '' }: RunDocument): Promise<void> {
  const effects = db.collection<Named>('chaos_effects');
  const named = { $setOnInsert: { runKey, version } };
  await stored(effects.updateOne({ _id: `${runKey}.${version}` }, named, { upsert: true }));
}

const start = defineProcessor({
  contract: chaosStart,
  load: async ({ n }) => n,
  compute: async (n: number) => n,
  write: async (n, { tenant, runKey, asOf, clock }) => {
    const now = clock.now();
    const id = `${tenant}.${DIAMOND.name}.${runKey.slice(-12)}`;
    const steps = Object.fromEntries(Object.keys(DIAMOND.steps).map((step) => [step, { state: 'waiting' as const }]));
    const run: PipelineRunDocument = {
      id,
      tenant,
      pipeline: DIAMOND.name,
      params: { n },
      asOf,
      live: {},
      state: 'running',
      seq: 1,
      steps,
      createdAt: now,
      changedAt: now,
    };
    return { output: { run: id }, plan: run, next: [{ type: 'advance', run: id }] };
  },
  follow: async (run, { store }) => {
    await store.pipelineRuns.create(run.plan as PipelineRunDocument);
    return undefined;
  },
});

/** The processors of the chaos kinds, by kind. */
export function chaosProcessors(db: Db, points: Points): Readonly<Record<string, AnyProcessor>> {
  return {
    'chaos-none': chaosProcessor(chaosNone, points),
    'chaos-record': chaosProcessor(chaosRecord, points),
    'chaos-dataset': chaosProcessor(chaosDataset, points, db),
    'chaos-start': start,
  };
}
