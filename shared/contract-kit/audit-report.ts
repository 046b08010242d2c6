/**
 * Owns the form of a bias audit's report: what a contract promises, and what dashboards and clients read. The figures
 * are computed in shared/numerics/fairness, which documents every definition.
 */
import { z } from 'zod';

/** How many people, pairs or items stand behind a figure, by the name of the cell. */
const cellCounts = z.record(z.string(), z.number().min(0));

export const estimateSchema = z.discriminatedUnion('estimable', [
  z.strictObject({
    estimable: z.literal(true),
    value: z.number(),
    n: cellCounts,
    /** Bootstrap percentile interval over people; null where resampling people says nothing honest about the figure. */
    interval: z
      .strictObject({
        low: z.number(),
        high: z.number(),
        level: z.number().gt(0).lt(1),
        replicates: z.int().positive(),
      })
      .nullable(),
  }),
  z.strictObject({
    estimable: z.literal(false),
    /** In words: which denominator is empty, or which cell is too small. */
    reason: z.string(),
    n: cellCounts,
  }),
]);

/** A figure that is estimable, or the reason why it is not. Never NaN, never a 0 that stands for "unknown". */
export type Estimate = z.output<typeof estimateSchema>;

const estimates = z.record(z.string(), estimateSchema);

export const fourFifthsSchema = z.strictObject({
  /** Lowest over highest rate. */
  ratio: estimateSchema,
  /** Ratio below 0.8; null when not estimable. */
  below: z.boolean().nullable(),
  /** Below 0.8 and p < 0.05: unlikely to be small numbers alone. */
  flagged: z.boolean(),
  lowest: z.string().nullable(),
  highest: z.string().nullable(),
  test: z.enum(['fisher', 'two-proportion']).nullable(),
  /** Two-sided p of lowest against highest group. */
  pValue: z.number().min(0).max(1).nullable(),
});

export const attributeAuditSchema = z.strictObject({
  attribute: z.string(),
  /** The largest estimable group; differences with a sign are group minus this one. */
  reference: z.string().nullable(),
  /** People without a label. */
  unlabelled: z.int().min(0),
  groups: z.array(
    z.strictObject({
      group: z.string(),
      people: z.int().min(0),
      /** False when smaller than the minimum cell. */
      largeEnough: z.boolean(),
      metrics: estimates,
    }),
  ),
  /** Across the groups that are large enough. */
  metrics: estimates,
  fourFifths: fourFifthsSchema,
});

export const auditReportSchema = z.strictObject({
  format: z.literal(1),
  people: z.int().min(0),
  items: z.int().min(0),
  k: z.int().positive(),
  /** Groups of fewer people are counted and not judged. */
  minimumCell: z.int().positive(),
  bootstrap: z.strictObject({ replicates: z.int().min(0), level: z.number().gt(0).lt(1), seed: z.int() }),
  /** Quality, popularity and inequality over everybody. */
  overall: estimates,
  attributes: z.array(attributeAuditSchema),
  /** Exposure of groups of items; an item may be in several. */
  itemGroups: z.array(z.strictObject({ group: z.string(), items: z.int().min(0), metrics: estimates })),
});

export type AuditReport = z.output<typeof auditReportSchema>;
export type AttributeAudit = z.output<typeof attributeAuditSchema>;
export type FourFifths = z.output<typeof fourFifthsSchema>;
