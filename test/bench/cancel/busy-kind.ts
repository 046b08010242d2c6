/** Owns the kind of job that the benchmark of cancelling runs: it never ends by itself. */
import { z } from 'zod';
import { defineJob } from '../../../shared/contract-kit/define-job.ts';

export const BUSY = defineJob({
  kind: 'bench-busy',
  version: 1,
  title: 'Computes for ever.',
  input: z.strictObject({ n: z.int() }),
  output: z.object({ n: z.int() }),
  personal: false,
  effect: 'dataset',
  purposes: [],
});

/** What the worker process tells: it is there, or the thread of a job computes. */
export type BusyMessage = { readonly type: 'ready' } | { readonly type: 'busy'; readonly runKey: string };

export interface BusyOptions {
  readonly redis: string;
  readonly prefix: string;
  readonly mongodb: string;
  readonly database: string;
  readonly atOnce: number;
}
