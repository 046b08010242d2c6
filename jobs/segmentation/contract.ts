/** Owns what may be asked of segmentation: groups of people who behave alike. */
import { z } from 'zod';
import { defineJob } from '../../shared/contract-kit/define-job.ts';

export const segmentation = defineJob({
  kind: 'segmentation',
  version: 1,
  title: 'Groups people who behave alike (K-Means++ over standardised features).',
  input: z.strictObject({
    /** Version made by feature-build. */
    features: z.string(),
    /** Number of segments; absent: the best silhouette among 2..8. */
    k: z.int().min(2).max(100).optional(),
    restarts: z.int().min(1).max(50).default(8),
    seed: z.int().default(1),
  }),
  output: z.object({
    version: z.string(),
    k: z.int(),
    people: z.int(),
    inertia: z.number(),
    /** Mean silhouette, -1..1; null where not estimable. */
    silhouette: z.number().nullable(),
    segments: z.array(z.object({ name: z.string(), people: z.int(), traits: z.array(z.string()) })),
    consentEpoch: z.int(),
  }),
  personal: false,
  effect: 'dataset',
  purposes: ['segmentation'],
});
