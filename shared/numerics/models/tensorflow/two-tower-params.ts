/** Owns the parameters of the two-tower model and their defaults, tuned on a validation split of MovieLens-100K only. */
import { z } from 'zod';

export const twoTowerParams = z
  .strictObject({
    /** Width of both towers' outputs, 2..512. */
    dimensions: z.int().min(2).max(512).default(64),
    /** Width of the item tower's hidden layer; 0 is a plain embedding. */
    itemHidden: z.int().min(0).max(1024).default(0),
    /** Learn from what is known of items and people besides (`facts` of the input), where there is anything. */
    sideFeatures: z.boolean().default(true),
    /** Divides the cosine; lower is sharper. In (0, 10]. */
    temperature: z.number().positive().max(10).default(0.2),
    /** Pairs a step, 2..8192; the others in the batch are the negatives. */
    batchSize: z.int().min(2).max(8192).default(512),
    /** Passes over the data at most. */
    epochs: z.int().min(1).max(1000).default(20),
    learningRate: z.number().positive().max(1).default(0.01),
    /** Decoupled weight decay of touched rows, times the learning rate. */
    weightDecay: z.number().min(0).max(10).default(0),
    /** Share of the pairs held out for early stopping; 0 runs all epochs. */
    validationShare: z.number().min(0).max(0.5).default(0.1),
    /** Epochs without a better validation before the fit stops. */
    patience: z.int().min(1).max(100).default(2),
    /** The first engine to try; slower ones follow. */
    engine: z.enum(['tfjs-node', 'tfjs-wasm', 'tfjs-cpu']).default('tfjs-node'),
  })
  .readonly();

export type TwoTowerParams = z.output<typeof twoTowerParams>;
