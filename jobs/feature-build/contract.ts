/** Owns what may be asked of feature-build: behaviour features per person from a data set version. */
import { z } from 'zod';
import { defineJob } from '../../shared/contract-kit/define-job.ts';

export const featureBuild = defineJob({
  kind: 'feature-build',
  version: 1,
  title: 'Builds behaviour features per person from a data set version.',
  input: z.strictObject({
    dataset: z.string(),
    /** Point in time: only what occurred and was recorded by then counts. Absent: the version's own. */
    asOf: z.int().optional(),
    /** Half-life of recency decay in days. */
    halfLifeDays: z.number().positive().max(3650).default(30),
  }),
  output: z.object({ version: z.string(), rows: z.int(), features: z.array(z.string()), consentEpoch: z.int() }),
  personal: false,
  effect: 'dataset',
  purposes: ['segmentation'],
});
