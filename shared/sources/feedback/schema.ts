/**
 * Owns the feedback schema: which answers there are, what event each becomes, and what it changes. The effect is read from the
 * interaction table that training, candidates and audit use, so what a person is told is what happens.
 */
import { z } from 'zod';
import { type EventType, timestampSchema } from '../../contract-kit/event.ts';
import { ID_CHARS_MAX, TEXT_CHARS_MAX } from '../../contract-kit/event-fields.ts';
import { EFFORT_TABLE, EFFORT_TABLE_VERSION } from '../../numerics/features/effort.ts';
import {
  INTERACTION_TABLE,
  INTERACTION_TABLE_VERSION,
  type InteractionRule,
} from '../../numerics/interactions/weights.ts';

/** Raised whenever a row below changes its meaning. */
export const FEEDBACK_SCHEMA_VERSION = 1;

interface ResponseRule {
  readonly type: EventType;
  /** Value of the event: fixed, or what was given, times this. Absent: the event has none. */
  readonly value?: { readonly fixed: number } | { readonly times: number; readonly max: number };
}

export const FEEDBACK_SCHEMA = {
  like: { type: 'like' },
  stars: { type: 'rating', value: { times: 2, max: 5 } },
  rating: { type: 'rating', value: { times: 1, max: 10 } },
  'thumb-up': { type: 'thumb', value: { fixed: 1 } },
  'thumb-down': { type: 'thumb', value: { fixed: -1 } },
  'not-interested': { type: 'not-interested' },
  survey: { type: 'survey', value: { times: 1, max: 10 } },
} as const satisfies Readonly<Record<string, ResponseRule>>;
export type FeedbackResponse = keyof typeof FEEDBACK_SCHEMA;
export const FEEDBACK_RESPONSES = Object.keys(FEEDBACK_SCHEMA) as [FeedbackResponse, ...FeedbackResponse[]];

const id = z.string().min(1).max(ID_CHARS_MAX);
export const feedbackSchema = z
  .strictObject({
    /** Given by the caller; the same id counts once. */
    id: id.optional(),
    user: id,
    item: id.optional(),
    response: z.enum(FEEDBACK_RESPONSES),
    value: z.number().min(0).max(10).optional(),
    /** Why, in the person's words. */
    reason: z.string().min(1).max(TEXT_CHARS_MAX).optional(),
    at: timestampSchema,
    /** The recommendation that was answered. */
    requestId: id.optional(),
  })
  .superRefine(({ response, value, item }, context) => {
    const rule: ResponseRule = FEEDBACK_SCHEMA[response];
    const given = rule.value !== undefined && 'max' in rule.value ? rule.value : undefined;
    const refuse = (path: string, message: string): void => context.addIssue({ code: 'custom', path: [path], message });
    if (given !== undefined && value === undefined) refuse('value', `${response} needs a value of 0..${given.max}`);
    else if (given === undefined && value !== undefined) refuse('value', `${response} has no value`);
    else if (given !== undefined && value! > given.max) refuse('value', `must be 0..${given.max}`);
    if (item === undefined && response !== 'survey') refuse('item', `${response} needs an item`);
  });
export type Feedback = z.output<typeof feedbackSchema>;

/** What an answer changes, from the next refresh on. */
export interface FeedbackEffect {
  /** `for`: the item and what resembles it; `against`: what was said for the item before counts no more; `none`: it is only measured. */
  readonly counts: 'for' | 'against' | 'none';
  readonly weight: number;
  /** The item is not recommended to the person again. */
  readonly shownAgain: boolean;
}

function eventValue(rule: ResponseRule, value: number | undefined): number | undefined {
  if (rule.value === undefined) return undefined;
  return 'fixed' in rule.value ? rule.value.fixed : value! * rule.value.times;
}

/** Highest rating of this source: stars are doubled. */
const RATING_MAX = 10;

export function effectOf({ response, value }: Pick<Feedback, 'response' | 'value'>): FeedbackEffect {
  const rule = FEEDBACK_SCHEMA[response];
  return effectOfEvent(rule.type, eventValue(rule, value));
}

/** The same of the event that an answer has become. */
export function effectOfEvent(type: EventType, given = 0): FeedbackEffect {
  const { seen, weight, positiveFrom, explicit }: InteractionRule = INTERACTION_TABLE[type];
  const from =
    positiveFrom === undefined
      ? -Infinity
      : 'value' in positiveFrom
        ? positiveFrom.value
        : positiveFrom.scale * RATING_MAX;
  if (weight > 0 && given >= from) return { counts: 'for', weight, shownAgain: !seen };
  return { counts: explicit ? 'against' : 'none', weight: 0, shownAgain: !seen };
}

/** The answer as a canonical event, still to be checked. */
export function eventOfFeedback({ response, value, reason, at, ...rest }: Feedback): Record<string, unknown> {
  const rule = FEEDBACK_SCHEMA[response];
  const given = eventValue(rule, value);
  return {
    ...Object.fromEntries(Object.entries(rest).filter(([, member]) => member !== undefined)),
    type: rule.type,
    occurredAt: at,
    ...(given === undefined ? {} : { value: given }),
    ...(reason === undefined ? {} : { text: reason }),
  };
}

/** What an answer changes of the person's features, beside that it is an act: what the features say is in docs/features.md. */
function featureEffectOf(type: EventType) {
  return {
    /** Counts so much in `intensity`. */
    effort: EFFORT_TABLE[type],
    /** Counts in `likingShare`, for or against by its effect. */
    liking: INTERACTION_TABLE[type].explicit,
  };
}

/** The table as it is served: one row an answer; where the effect hangs on the value, the highest and the lowest. */
export function feedbackTable() {
  const rows = FEEDBACK_RESPONSES.map((response) => {
    const rule: ResponseRule = FEEDBACK_SCHEMA[response];
    const max = rule.value !== undefined && 'max' in rule.value ? rule.value.max : undefined;
    const best = effectOf({ response, value: max });
    return {
      response,
      type: rule.type,
      ...(max === undefined ? {} : { valueMax: max, lowest: effectOf({ response, value: 0 }) }),
      effect: best,
      features: featureEffectOf(rule.type),
    };
  });
  const versions = { interactions: INTERACTION_TABLE_VERSION, effort: EFFORT_TABLE_VERSION };
  return { version: FEEDBACK_SCHEMA_VERSION, ...versions, rows };
}
