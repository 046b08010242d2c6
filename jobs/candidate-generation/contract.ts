/** Owns what may be asked of candidate-generation: the top items for every person, ready to be served. */
import { z } from 'zod';
import { defineJob } from '../../shared/contract-kit/define-job.ts';

export const candidateGeneration = defineJob({
  kind: 'candidate-generation',
  version: 1,
  title: 'Ranks the catalogue for every person, without what they have seen; popularity for newcomers.',
  input: z.strictObject({
    dataset: z.string(),
    /** Version made by embedding-training. */
    embeddings: z.string(),
    k: z.int().min(1).max(500).default(50),
  }),
  output: z.object({
    version: z.string(),
    users: z.int(),
    k: z.int(),
    /** Items of the list that newcomers get. */
    fallbackItems: z.int(),
    /** Share of the catalogue that appears in somebody's list. */
    coverage: z.number(),
    engine: z.string(),
    consentEpoch: z.int(),
  }),
  personal: false,
  effect: 'dataset',
  purposes: ['recommendation'],
  limits: { memoryMbMax: 8_192 },
});
