/**
 * Owns backfills: one run of a pipeline for each moment of a span, some at once. A backfill is a pipeline run itself, so it is
 * followed, cancelled, resumed and run again as any. What it publishes for a moment before the live release's does not go live.
 */
import { z } from 'zod';
import { definePipeline, fanOutRuns } from './define-pipeline.ts';

const HOUR_MS = 3_600_000;
const EVERY_MS = { hour: HOUR_MS, day: 24 * HOUR_MS, week: 7 * 24 * HOUR_MS } as const;
export const BACKFILL_EVERY = Object.keys(EVERY_MS) as (keyof typeof EVERY_MS)[];
export type BackfillEvery = keyof typeof EVERY_MS;
/** Most runs of one backfill. */
export const BACKFILL_RUNS_MAX = 1_000;
export const BACKFILL_PARALLEL_MAX = 32;
export const BACKFILL_PARALLEL_DEFAULT = 2;

const moment = z.int().min(0).max(Date.UTC(9999, 0));
export const backfillSchema = z
  .strictObject({
    pipeline: z.string().max(100),
    params: z.record(z.string(), z.unknown()).default({}),
    /** First and last moment, ms since 1970; the last counts if a step of `every` falls on it. */
    from: moment,
    to: moment,
    every: z.enum(BACKFILL_EVERY as [BackfillEvery, ...BackfillEvery[]]).default('day'),
    /** Runs at work at once. */
    parallel: z.int().min(1).max(BACKFILL_PARALLEL_MAX).default(BACKFILL_PARALLEL_DEFAULT),
  })
  .refine(({ from, to }) => from <= to, { path: ['to'], message: 'must not be before `from`' })
  .refine(({ from, to, every }) => to < from + BACKFILL_RUNS_MAX * EVERY_MS[every], {
    path: ['every'],
    message: `makes more than ${BACKFILL_RUNS_MAX} runs; cut the span`,
  });
export type Backfill = z.output<typeof backfillSchema>;

/** The moments of a backfill, oldest first. */
export function momentsOf({ from, to, every }: Pick<Backfill, 'from' | 'to' | 'every'>): number[] {
  const stepMs = EVERY_MS[every];
  return Array.from({ length: Math.floor((to - from) / stepMs) + 1 }, (_, index) => from + index * stepMs);
}

/** `2026-11-01`, or `2026-11-01T03:00:00Z` where it is not midnight: fit for the name of a step. */
const momentKey = (at: number): string =>
  new Date(at)
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replace('T00:00:00Z', '') + (at % 1_000 === 0 ? '' : `-${at % 1_000}`);

export const backfill = definePipeline({
  name: 'backfill',
  title: 'One run of a pipeline for each moment of a span.',
  params: backfillSchema,
  parallel: (params) => (params as Backfill).parallel,
  steps: {
    runs: fanOutRuns({
      over: ({ params }) => momentsOf(params as Backfill),
      key: momentKey,
      start: ({ params }, asOf) => {
        const { pipeline, params: inner } = params as Backfill;
        return { pipeline, params: inner, asOf };
      },
    }),
  },
});
