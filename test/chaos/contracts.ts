/** Owns the jobs that exist for the chaos runs alone: one kind of every effect class, and one that starts a diamond of steps. */
import { z } from 'zod';
import { fanOut, type Pipeline, type Step } from '../../jobs/define-pipeline.ts';
import { defineJob, type EffectClass } from '../../shared/contract-kit/define-job.ts';

/** The queue of the same scenario on plain BullMQ. */
export const PLAIN_QUEUE = 'plain';

/** Collection of the service that asks through its outbox. */
export const ORDERS = 'chaos_orders';

/** Places in an attempt at which its process may be struck, in their order. */
export const POINTS = [
  'before-claim',
  'claimed',
  'loaded',
  'written',
  'before-commit',
  'after-commit',
  'followed',
  'marked',
  'completed',
] as const;
export type PointName = (typeof POINTS)[number];
/** `kill`: SIGKILL. `freeze`: SIGSTOP until another process has ended the job. */
export type Blow = 'kill' | 'freeze';

const input = z.strictObject({
  n: z.int(),
  /** How long the computation lasts. */
  workMs: z.int().min(0),
  /** `once`: the first attempt fails in words. `always`: refused, never to be tried again. */
  fail: z.enum(['never', 'once', 'always']),
});
export type ChaosInput = z.output<typeof input>;

function chaosJob<K extends string>(kind: K, effect: EffectClass) {
  return defineJob({
    kind,
    version: 1,
    title: 'A job of the chaos runs.',
    input,
    output: z.object({ square: z.int() }),
    personal: false,
    effect,
    purposes: [],
    limits: { concurrency: 4, durationMsMax: 60_000 },
  });
}

export const chaosNone = chaosJob('chaos-none', 'none');
export const chaosRecord = chaosJob('chaos-record', 'record');
export const chaosDataset = chaosJob('chaos-dataset', 'dataset');
export type ChaosContract = typeof chaosNone | typeof chaosRecord | typeof chaosDataset;

/** Starts a pipeline run: see DIAMOND. */
export const chaosStart = defineJob({
  kind: 'chaos-start',
  version: 1,
  title: 'Starts a diamond of jobs of the chaos runs.',
  input: z.strictObject({ n: z.int() }),
  output: z.object({ run: z.string() }),
  personal: false,
  effect: 'dataset',
  purposes: [],
  limits: { concurrency: 2 },
});

export const CHAOS_CONTRACTS = {
  'chaos-none': chaosNone,
  'chaos-record': chaosRecord,
  'chaos-dataset': chaosDataset,
  'chaos-start': chaosStart,
} as const;

const step = (add: number, ...after: string[]): Step => ({
  contract: chaosDataset,
  after,
  input: ({ params, output }) => ({
    n: after.reduce((sum, name) => sum + output(name, chaosDataset).square, Number(params.n) + add) % 1000,
    workMs: 20,
    fail: 'never',
  }),
});

const PARTS = 3;

/** A diamond, then as many steps as the join says, then one that joins those. */
export const DIAMOND: Pipeline = {
  name: 'chaos-diamond',
  title: 'One, two side by side, one that joins them; then three that are made as it runs, and one that joins those.',
  params: z.looseObject({ n: z.int() }),
  steps: {
    first: step(1),
    left: step(2, 'first'),
    right: step(3, 'first'),
    join: step(4, 'left', 'right'),
    parts: fanOut(chaosDataset, {
      after: ['join'],
      over: ({ output }) => Array.from({ length: PARTS }, (_, part) => output('join', chaosDataset).square + part),
      input: (_, n) => ({ n: n % 1000, workMs: 20, fail: 'never' as const }),
    }),
    sum: {
      contract: chaosDataset,
      after: ['parts'],
      input: ({ outputs }) => ({
        n: outputs('parts', chaosDataset).reduce((sum, part) => sum + (part?.square ?? 0), 0) % 1000,
        workMs: 20,
        fail: 'never',
      }),
    },
  },
};
