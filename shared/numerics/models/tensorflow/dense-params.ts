/** Owns the parameters that every model trained on whole rows of users shares. */
import { z } from 'zod';

export const denseTraining = {
  /** Passes over the users at most. */
  epochs: z.int().min(1).max(2000),
  /** Users a step. Each step scores the whole catalogue for them. */
  batchSize: z.int().min(1).max(4096),
  learningRate: z.number().positive().max(1),
  /** Decoupled weight decay of touched rows, times the learning rate. */
  weightDecay: z.number().min(0).max(10),
  /** Share of the pairs held out for early stopping; 0 runs all epochs. */
  validationShare: z.number().min(0).max(0.5).default(0.1),
  /** Epochs without a better validation before the fit stops. */
  patience: z.int().min(1).max(200),
  /** Share of what the mean of the parameters over the epochs keeps at each new one; the mean is what serves. 0: the last epoch alone. */
  averaging: z.number().min(0).max(0.999).default(0),
  /** Whether the fit begins anew over all pairs once the best number of epochs is known, instead of a single last pass over them. */
  refit: z.boolean().default(true),
  /** The first engine to try; slower ones follow. */
  engine: z.enum(['tfjs-node', 'tfjs-wasm', 'tfjs-cpu']).default('tfjs-node'),
};

export type DenseTraining = { readonly [Name in keyof typeof denseTraining]: z.output<(typeof denseTraining)[Name]> };
