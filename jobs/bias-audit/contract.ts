/** Owns what may be asked of bias-audit: group and popularity metrics over candidates. */
import { z } from 'zod';
import { defineJob } from '../../shared/contract-kit/define-job.ts';

export const biasAudit = defineJob({
  kind: 'bias-audit',
  version: 1,
  title: 'Measures how candidates treat groups of people and of items, with cell counts and intervals.',
  input: z.strictObject({
    dataset: z.string(),
    /** Version made by candidate-generation. */
    candidates: z.string(),
    /** Attributes of people to compare groups by. */
    attributes: z.array(z.string().min(1).max(100)).min(1).max(10).default(['gender', 'ageGroup']),
    k: z.int().min(1).max(500).default(10),
    bootstrap: z.int().min(100).max(10_000).default(500),
    seed: z.int().default(1),
  }),
  output: z.object({
    version: z.string(),
    users: z.int(),
    /** Headline figures; the whole report is the version's content. Null: not estimable. */
    findings: z.array(
      z.object({
        metric: z.string(),
        attribute: z.string().nullable(),
        value: z.number().nullable(),
        flagged: z.boolean(),
        /** The figure in words. */
        says: z.string().optional(),
      }),
    ),
    consentEpoch: z.int(),
  }),
  personal: false,
  effect: 'dataset',
  purposes: ['audit'],
});
