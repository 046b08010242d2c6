/** Owns what may be asked of embedding-training: user and item embeddings, evaluated on a holdout. */
import { z } from 'zod';
import { defineJob } from '../../shared/contract-kit/define-job.ts';

export const EMBEDDING_MODELS = ['ials', 'two-tower'] as const;

export const embeddingTraining = defineJob({
  kind: 'embedding-training',
  version: 1,
  title: 'Trains user and item embeddings and evaluates them on a holdout with full ranking.',
  input: z.strictObject({
    dataset: z.string(),
    model: z.enum(EMBEDDING_MODELS).default('ials'),
    /** Parameters of the model; what is absent takes the model's defaults. */
    params: z.record(z.string(), z.unknown()).default({}),
    /** Share of interactions held out for the metrics; the published model is trained on all. */
    holdout: z.number().min(0).max(0.5).default(0.1),
    k: z.int().min(1).max(1000).default(10),
    seed: z.int().default(1),
  }),
  output: z.object({
    version: z.string(),
    model: z.enum(EMBEDDING_MODELS),
    engine: z.string(),
    threads: z.int(),
    params: z.record(z.string(), z.unknown()),
    users: z.int(),
    items: z.int(),
    factors: z.int(),
    /** Full ranking on the holdout; null where no user had a held-out item. */
    metrics: z.object({ k: z.int(), users: z.int(), recall: z.number(), ndcg: z.number() }).nullable(),
    consentEpoch: z.int(),
    trainSeconds: z.number(),
  }),
  personal: false,
  effect: 'dataset',
  purposes: ['recommendation'],
  limits: { memoryMbMax: 8_192, durationMsMax: 6 * 3600_000 },
});
