/**
 * Owns what may be asked of private statistics: counts, sums and people by groups, with noise that hides any one person (differential privacy) or from a
 * minimum of people on (a cohort); and what people answered on their devices under randomised response.
 */
import { z } from 'zod';
import { defineJob } from '../../shared/contract-kit/define-job.ts';
import { EVENT_TYPES } from '../../shared/contract-kit/event-fields.ts';

/** Events, the sum of their values, or the people who are behind them. */
export const STATISTICS = ['events', 'sum', 'people'] as const;
export const GROUPINGS = ['none', 'type', 'source', 'category', 'segment', 'place', 'day', 'hour', 'rating'] as const;

export const STATISTIC_GROUPS_MAX = 1_000;
export const STATISTIC_DAYS_MAX = 366;
const DAY_MS = 24 * 3600_000;

/** What a release goes by: the caller's name for one question and one draw. */
export const releaseNameSchema = z
  .string()
  .min(1)
  .max(100)
  .regex(/^[A-Za-z0-9_-]+$/, 'letters, digits, dash, underscore');

/** What hides a person: noise of a stated epsilon or rho, or that many others are in the figure. */
const protectionSchema = z.discriminatedUnion('mechanism', [
  z.strictObject({ mechanism: z.literal('laplace'), epsilon: z.number().positive().max(20) }),
  z.strictObject({ mechanism: z.literal('gaussian'), rho: z.number().positive().max(50) }),
  z.strictObject({ mechanism: z.literal('cohort') }),
]);

/** Most that one person can be in a statistic: what is more is left out of it. */
const contributionSchema = z.strictObject({
  events: z.int().min(1).max(10_000).default(20),
  /** In so many groups. */
  groups: z.int().min(1).max(STATISTIC_GROUPS_MAX).default(5),
  /** Of `sum`: a value counts as no less and no more, in steps of `grid`. */
  least: z.number().min(-1e9).max(1e9).default(0),
  most: z.number().min(-1e9).max(1e9).default(100),
  grid: z.number().positive().max(1e9).default(1),
});

const cohortMin = z.int().min(0).max(1_000_000).default(10);

const ofEvents = z
  .strictObject({
    statistic: z.enum(STATISTICS),
    release: releaseNameSchema,
    /** Version of events. */
    dataset: z.string(),
    by: z.enum(GROUPINGS).default('none'),
    types: z.array(z.enum(EVENT_TYPES)).min(1).optional(),
    /** Of what happened from then on, and before `until`. */
    from: z.int().min(0).optional(),
    until: z.int().min(1).optional(),
    /** The only groups that are wanted. Places need them: which there are would tell of people. */
    groups: z.array(z.string().min(1).max(200)).min(1).max(STATISTIC_GROUPS_MAX).optional(),
    /** Version of segments, for `by: segment`. */
    segments: z.string().optional(),
    contribution: contributionSchema.prefault({}),
    /** Groups of fewer people are not told; with noise, by a noisy count of them (0: all are told). */
    cohortMin,
    protection: protectionSchema,
  })
  .superRefine((input, context) => {
    const refuse = (field: string, message: string): void =>
      context.addIssue({ code: 'custom', path: [field], message });
    const { by, from, until, statistic, contribution, protection } = input;
    if (from !== undefined && until !== undefined && from >= until) refuse('until', 'must be after `from`');
    if (by === 'day' && (from === undefined || until === undefined)) refuse('until', 'days need `from` and `until`');
    if (by === 'day' && (until ?? 0) - (from ?? 0) > STATISTIC_DAYS_MAX * DAY_MS)
      refuse('until', `at most ${STATISTIC_DAYS_MAX} days`);
    if (by === 'segment' && input.segments === undefined) refuse('segments', 'segments need their version');
    if (by === 'place' && input.groups === undefined && protection.mechanism !== 'cohort')
      refuse('groups', 'places under noise need their names: which there are would tell of people');
    if (statistic === 'sum' && contribution.least >= contribution.most)
      refuse('contribution', '`least` must be below `most`');
    if (statistic === 'sum' && contribution.grid > contribution.most - contribution.least)
      refuse('contribution', '`grid` must not be wider than `least` .. `most`');
    if (protection.mechanism === 'cohort' && input.cohortMin < 2)
      refuse('cohortMin', 'without noise a cohort needs at least 2 people');
  });

const ofAnswers = z.strictObject({
  statistic: z.literal('answers'),
  release: releaseNameSchema,
  question: releaseNameSchema,
  cohortMin: z.int().min(2).max(1_000_000).default(10),
});

const groupSchema = z.object({
  group: z.string(),
  value: z.number(),
  /** Within these in 95 of 100 cases, as far as noise goes; null: there is none. */
  low: z.number().nullable(),
  high: z.number().nullable(),
  /** People behind it, noisy where there is noise; null: not counted. */
  people: z.int().nullable(),
});

export const privateStatistics = defineJob({
  kind: 'private-statistics',
  version: 1,
  title:
    'Tells counts, sums and people by groups, with noise that hides any one person, or from a minimum of people on.',
  input: z.discriminatedUnion('statistic', [ofEvents, ofAnswers]),
  output: z.object({
    release: z.string(),
    statistic: z.enum([...STATISTICS, 'answers']),
    by: z.enum([...GROUPINGS, 'answer']),
    groups: z.array(groupSchema),
    /** Groups that are not told, by name; what lies in them is nowhere in the others. */
    suppressed: z.array(z.string()),
    protection: z.enum(['noise', 'cohort', 'randomised-response']),
    /** What the release cost; null: no budget is spent. `epsilon`: pure, or null where only rho is known. */
    spent: z.object({ rho: z.number(), epsilon: z.number().nullable() }).nullable(),
    /** Of the values: the mechanism, the standard deviation of the noise, and the most that one person changes. */
    noise: z.object({ mechanism: z.string(), deviation: z.number(), sensitivity: z.number() }).nullable(),
    cohortMin: z.int(),
    consentEpoch: z.int(),
    /** When the noise was drawn, or the figures made. */
    at: z.int(),
    /** Of a cohort: the version that remembers who was in it, so that no later one differs by few. */
    version: z.string().optional(),
  }),
  personal: false,
  effect: 'dataset',
  purposes: ['measurement'],
  strict: true,
  limits: { memoryMbMax: 2_048 },
});
