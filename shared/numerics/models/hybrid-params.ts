/** Owns the parameters of the hybrid; the default components were chosen on validation splits, at random and by time. */
import { z } from 'zod';

/** Models that may be parts: all but those that are made of others. */
export const HYBRID_PARTS = [
  'autoencoder',
  'bpr',
  'ease',
  'graph-filter',
  'ials',
  'item-knn',
  'item2vec',
  'popularity',
  'proto-mf',
  'sequence',
  'two-tower',
  'warp',
] as const;

const part = z.strictObject({
  model: z.enum(HYBRID_PARTS),
  /** Parameters of that model, its defaults for the rest. */
  params: z.record(z.string(), z.unknown()).default({}),
  weight: z.number().min(0).max(1e3).default(1),
});

export const hybridParams = z
  .strictObject({
    /** Distinct ways of being right: a linear model of items on items, two factorisations with different losses, a filter of the graph. */
    parts: z
      .array(part)
      .min(2)
      .max(8)
      .refine((parts) => parts.some(({ weight }) => weight > 0), 'a weight must be above 0')
      .prefault([{ model: 'ease' }, { model: 'ials' }, { model: 'warp' }, { model: 'graph-filter' }]),
    /** `given`: the weights as they stand; `stacked`: weights searched on a held-out part of the training interactions, from there. */
    weights: z.enum(['given', 'stacked']).default('given'),
    /** Share that `stacked` holds out; the parts are then fitted to everything again. */
    holdout: z.number().min(0.01).max(0.5).default(0.1),
    /** Length of the lists that are merged. Beyond it an item has the score of the list's end. */
    depth: z.int().min(10).max(5_000).default(300),
  })
  .readonly();

export type HybridParams = z.output<typeof hybridParams>;

/** What `--tune` tries. */
export const HYBRID_CANDIDATES: readonly z.input<typeof hybridParams>[] = [
  { weights: 'stacked' },
  { parts: [{ model: 'ease' }, { model: 'ials' }, { model: 'warp' }] },
  { parts: [{ model: 'ease' }, { model: 'ials' }, { model: 'graph-filter' }] },
  { parts: [{ model: 'ease' }, { model: 'ials' }] },
];
