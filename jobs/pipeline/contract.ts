/** Owns what may be asked of the pipeline kind: start a run of several jobs, or publish what a run made. */
import { z } from 'zod';
import { defineJob } from '../../shared/contract-kit/define-job.ts';

/** What a release names; a reader sees all of one release or all of another, never a mix. */
export const releasePartsSchema = z.strictObject({
  dataset: z.string().optional(),
  embeddings: z.string().optional(),
  segments: z.string().optional(),
  candidates: z.string().optional(),
  audit: z.string().optional(),
});
export type ReleaseParts = z.output<typeof releasePartsSchema>;

export const pipeline = defineJob({
  kind: 'pipeline',
  version: 1,
  title: 'Starts a run of several jobs, and publishes what it made.',
  input: z.union([
    z.strictObject({
      start: z.strictObject({ pipeline: z.string(), params: z.record(z.string(), z.unknown()).default({}) }),
    }),
    /** Runs an ended run again: what has finished is kept, the rest gets a run of its own. */
    z.strictObject({ rerun: z.strictObject({ run: z.string().max(300), from: z.string().max(300).optional() }) }),
    z.strictObject({
      publish: z.strictObject({
        parts: releasePartsSchema,
        asOf: z.int(),
        /** `candidate`: nothing goes live; the release waits for somebody to promote it. */
        channel: z.enum(['live', 'candidate']).optional(),
      }),
    }),
  ]),
  output: z.object({
    /** Of `start` and `rerun`: the id of the pipeline run. */
    run: z.string().optional(),
    /** Of `publish`: the release, and whether it went live or came too late. */
    release: z.object({ version: z.string(), live: z.boolean(), reason: z.string().optional() }).optional(),
  }),
  personal: false,
  effect: 'dataset',
  purposes: [],
  limits: { concurrency: 8 },
});
