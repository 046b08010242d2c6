/** Owns what may be asked of embedding-training: user and item embeddings, evaluated on a holdout. */
import { z } from 'zod';
import { defineJob } from '../../shared/contract-kit/define-job.ts';
import { EMBEDDING_MODELS } from '../../shared/contract-kit/embedding-models.ts';

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
    /**
     * Stop after so many epochs without a better NDCG on a validation part of its own (never the holdout), and train the published model for the best
     * number of epochs. Absent: all epochs; models on TensorFlow always stop by themselves.
     */
    patience: z.int().min(1).max(100).optional(),
    /** Bytes that are equal on every CPU (proofs of erasure, comparison with sharded-training), for some speed. Absent: the fastest engine. */
    plainSimd: z.boolean().optional(),
    /** Take the parameters that the last search for this model chose; `params` go before them. None yet: the model's defaults. */
    tuned: z.boolean().optional(),
    /**
     * `live`, or a version of embeddings: the published model goes on from its factors, by the keys of people and items. Only ials, bpr and warp. The metrics
     * are those of a model that began at the beginning. Absent: so does the published one, which the proofs of erasure need.
     */
    warmStart: z.string().min(1).optional(),
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
    /** Best number of epochs, where `patience` was asked for. */
    bestEpoch: z.int().optional(),
    /** The run of the search whose parameters it took. */
    tuning: z.string().optional(),
    /** The version that it went on from; or why it did not. */
    warmStart: z.object({ version: z.string().nullable(), refused: z.string().nullable() }).optional(),
  }),
  personal: false,
  effect: 'dataset',
  purposes: ['recommendation'],
  limits: { memoryMbMax: 8_192, durationMsMax: 6 * 3600_000 },
});
