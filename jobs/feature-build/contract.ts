/** Owns what may be asked of feature-build: one view of features of people, from a data set version. */
import { z } from 'zod';
import { defineJob } from '../../shared/contract-kit/define-job.ts';
import { FEATURE_VIEWS } from '../../shared/contract-kit/feature-views.ts';

export const featureBuild = defineJob({
  kind: 'feature-build',
  version: 2,
  title: 'Builds a view of features of people from a data set version.',
  input: z.strictObject({
    dataset: z.string(),
    view: z.enum(FEATURE_VIEWS).default('behaviour'),
    /** Point in time: only what occurred and was recorded by then counts. Absent: the version's own. */
    asOf: z.int().optional(),
    /** Half-life of recency decay in days, where the view does not have its own. */
    halfLifeDays: z.number().positive().max(3650).default(30),
    /** Of what is drawn: communities, samples of large networks. */
    seed: z.int().default(1),
  }),
  output: z.object({ version: z.string(), rows: z.int(), features: z.array(z.string()), consentEpoch: z.int() }),
  personal: false,
  effect: 'dataset',
  purposes: ['segmentation'],
  // Without a view the first one was meant, which is the default.
  upcasters: { 1: { input: (old) => old } },
});
