/** Owns what may be asked of asking: whom to ask for feedback, about what, and until when that is a suited moment. */
import { z } from 'zod';
import { defineJob } from '../../shared/contract-kit/define-job.ts';

/** Acts after which somebody may be asked. */
export const ASKED_AFTER = ['view', 'purchase', 'convert', 'save', 'share', 'skip'] as const;

export const asking = defineJob({
  kind: 'asking',
  version: 1,
  title: 'Picks suited moments for feedback prompts: after which act, about what, at most so often.',
  input: z.strictObject({
    /** Version of events. */
    dataset: z.string(),
    /** Point in time: only what occurred and was recorded by then counts. Absent: the version's own. */
    asOf: z.int().optional(),
    after: z
      .array(z.enum(ASKED_AFTER))
      .min(1)
      .default([...ASKED_AFTER]),
    /** A person is asked at most so often in so many days, and not again within so many hours. */
    perPersonMax: z.int().min(1).max(50).default(2),
    withinDays: z.int().min(1).max(365).default(30),
    pauseHours: z.number().min(0).max(8_760).default(72),
    /** An act is asked about no later than so many hours after it. */
    freshHours: z.number().positive().max(8_760).default(72),
    /** Who has done less is left alone: they have hardly begun. */
    actsMin: z.int().min(1).max(1_000).default(5),
  }),
  output: z.object({
    version: z.string(),
    /** People who were considered: who allow it, and had done anything by then. */
    users: z.int(),
    /** People for whom a moment was found. */
    prompts: z.int(),
    /** Why the others are left alone. */
    leftAlone: z.object({ optedOut: z.int(), askedLately: z.int(), hardlyBegun: z.int(), noMoment: z.int() }),
    consentEpoch: z.int(),
  }),
  personal: false,
  effect: 'dataset',
  purposes: ['recommendation'],
});
