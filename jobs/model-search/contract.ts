/**
 * Owns what may be asked of model-search: try one set of parameters on a validation part, and choose among those that were tried. Nothing is published, and
 * the holdout that training measures itself by is never looked at.
 */
import { z } from 'zod';
import { defineJob } from '../../shared/contract-kit/define-job.ts';
import { EMBEDDING_MODELS } from '../../shared/contract-kit/embedding-models.ts';

const params = z.record(z.string(), z.unknown());

export const trialSchema = z.object({
  /** Filled in: what the model was fitted with, without its epochs where a share of them was asked for. */
  params,
  /** Full ranking on the validation part. */
  ndcg: z.number(),
  recall: z.number(),
  /** Half the width of the 95 % interval of `ndcg` over people. */
  ndcgError: z.number(),
  seconds: z.number(),
});
export type Trial = z.output<typeof trialSchema>;

export const modelSearch = defineJob({
  kind: 'model-search',
  version: 1,
  title: 'Tries parameters of a model on a validation part, and keeps the best for the next training.',
  input: z.union([
    z.strictObject({
      try: z.strictObject({
        dataset: z.string(),
        model: z.enum(EMBEDDING_MODELS),
        /** Parameters as they are; or a number: the n-th draw from the model's space (0: its defaults). */
        params: z.union([params, z.int().min(0).max(100_000)]),
        /** Share of the model's epochs that this trial may take. */
        budget: z.number().min(0.01).max(1).default(1),
        /** As for embedding-training: what its holdout would be is left out here. */
        holdout: z.number().min(0.01).max(0.5).default(0.1),
        k: z.int().min(1).max(1000).default(10),
        seed: z.int().default(1),
      }),
    }),
    z.strictObject({
      choose: z.strictObject({
        dataset: z.string(),
        model: z.enum(EMBEDDING_MODELS),
        seed: z.int().default(1),
        /** Of the last round. */
        trials: z.array(trialSchema).min(1).max(1000),
        /** In all rounds. */
        tried: z.int().min(1),
      }),
    }),
  ]),
  output: z.object({
    trial: trialSchema.optional(),
    /** Of `choose`: the best, which trainings that ask for tuned parameters take from now on. */
    chosen: trialSchema.optional(),
  }),
  personal: false,
  effect: 'dataset',
  purposes: ['recommendation'],
  limits: { memoryMbMax: 8_192, durationMsMax: 6 * 3600_000 },
});
