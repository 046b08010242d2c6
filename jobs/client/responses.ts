/** Owns what the gateway answers to reads: one set of schemas for the gateway that writes and the client that reads. */
import { z } from 'zod';
import { claimRefSchema } from '../../shared/contract-kit/envelope.ts';

/** Most recommendations of one response. */
export const RECOMMENDATIONS_MAX = 500;

export const recommendationsResponseSchema = z.object({
  /** Names this response in later events (`requestId`), so that effects can be traced to it. */
  requestId: z.string(),
  user: z.string(),
  /** Version of the release that was live. */
  release: z.string(),
  /** Version of the embeddings that ranked; of popularity: the candidates' version. */
  model: z.string(),
  /** Name of the serving policy that chose and ordered the items. */
  policy: z.string(),
  /** `popularity`: nothing personal was known, everybody new gets this list. */
  origin: z.enum(['model', 'popularity']),
  items: z.array(
    z.object({
      item: z.string(),
      title: z.string().optional(),
      /** Larger is better; comparable only within one response. */
      score: z.number(),
      /** 1 = top. */
      position: z.int().min(1),
      /** Of what this person liked, what the item resembles most, by its embedding; absent where nothing does. Not what the score is made of. */
      because: z.object({ item: z.string(), title: z.string().optional() }).optional(),
    }),
  ),
});
export type RecommendationsResponse = z.output<typeof recommendationsResponseSchema>;

export const segmentsResponseSchema = z.object({
  user: z.string(),
  /** Version of the release that was live. */
  release: z.string(),
  /** Number of the segment, from 0; null: the person is in none. */
  segment: z.int().min(0).nullable(),
  name: z.string().optional(),
});
export const promptResponseSchema = z.object({
  user: z.string(),
  /** null: nobody should ask this person anything now. */
  prompt: z
    .object({
      item: z.string(),
      title: z.string().optional(),
      /** The question: an answer of the feedback schema (GET /v1/feedback/schema). */
      ask: z.string(),
      /** The act that it follows, when that was, and until when it is a suited moment; ms since 1970. */
      after: z.string(),
      at: z.number(),
      until: z.number(),
    })
    .nullable(),
  /** Why there is none. */
  because: z.enum(['opted-out', 'asked-lately', 'no-consent', 'no-moment']).optional(),
});
export type PromptResponse = z.output<typeof promptResponseSchema>;

export const PROMPT_NOTES = ['shown', 'opt-out', 'opt-in'] as const;
export type PromptNote = (typeof PROMPT_NOTES)[number];

const listedSchema = z.object({ item: z.string(), title: z.string().optional(), position: z.int().min(1) });
export const effectsResponseSchema = z.object({
  user: z.string(),
  /** Newest first. */
  answers: z.array(
    z.object({
      type: z.string(),
      item: z.string().optional(),
      value: z.number().optional(),
      at: z.number(),
      /** As GET /v1/feedback/schema has it. */
      effect: z.object({ counts: z.enum(['for', 'against', 'none']), weight: z.number(), shownAgain: z.boolean() }),
      /** The release from which on it counts; null: the next refresh brings it. */
      release: z.string().nullable(),
      /** Where its item stood in the list before, and where it stands since; null: it was, or is, not in it. */
      position: z.object({ before: z.int().nullable(), after: z.int().nullable() }).optional(),
    }),
  ),
  /** The person's list before the latest answer counted, and since; the same where nothing is published since. */
  before: z.array(listedSchema),
  after: z.array(listedSchema),
});
export type EffectsResponse = z.output<typeof effectsResponseSchema>;

export type SegmentsResponse = z.output<typeof segmentsResponseSchema>;

export const releaseSchema = z.object({
  version: z.string(),
  /** The parts that it names. */
  dataset: z.string().optional(),
  embeddings: z.string().optional(),
  segments: z.string().optional(),
  candidates: z.string().optional(),
  audit: z.string().optional(),
  /** Moment it speaks of, and when it was published; ms since 1970. */
  asOf: z.number(),
  createdAt: z.number(),
  /** The release that was live before it. */
  previous: z.string().optional(),
});
export type ReleaseResponse = z.output<typeof releaseSchema>;

export const releasePointerSchema = z.object({
  /** Version of the release that is live. */
  version: z.string(),
  /** Nothing that is published goes live until it is let go. */
  hold: z.boolean(),
  seq: z.int(),
  /** The last changes, oldest first. */
  changes: z
    .array(
      z.object({
        seq: z.int(),
        did: z.enum(['publish', 'roll-back', 'promote', 'hold', 'unhold']),
        at: z.number(),
        version: z.string(),
        hold: z.boolean(),
        by: z.string(),
        reason: z.string().optional(),
      }),
    )
    .readonly()
    .optional(),
});
export type ReleasePointer = z.output<typeof releasePointerSchema>;

export const releasesResponseSchema = z.object({
  /** Absent: nothing is published. */
  pointer: releasePointerSchema.optional(),
  /** Newest first; some of them may never have been live. */
  releases: z.array(releaseSchema),
});
export type ReleasesResponse = z.output<typeof releasesResponseSchema>;

/** Answer to POST /v1/claims. */
export const claimResponseSchema = claimRefSchema;

/** Body of every answer with a status >= 400: what `AppError.toJSON` gives. */
export const errorResponseSchema = z.object({
  code: z.string(),
  message: z.string(),
  retry: z.string().optional(),
  details: z.record(z.string(), z.unknown()).optional(),
});
export type ErrorResponse = z.output<typeof errorResponseSchema>;
