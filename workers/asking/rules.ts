/** Owns after which acts somebody is asked, and what: one versioned table. */
import type { ASKED_AFTER } from '../../jobs/asking/contract.ts';
import type { FeedbackResponse } from '../../shared/sources/feedback/schema.ts';

/** Raised whenever a row below changes its meaning; recorded beside every version. */
export const PROMPT_RULES_VERSION = 1;

export interface PromptRule {
  /** The question: an answer of the feedback schema. */
  readonly ask: FeedbackResponse;
  /** How suited the moment is, at once; halved every twelve hours. */
  readonly weight: number;
  /** Least value of the act. Absent: any. */
  readonly from?: number;
}

/** What took effort is worth a question most; who skips is asked whether they want no more of it. */
export const PROMPT_RULES: Readonly<Record<(typeof ASKED_AFTER)[number], PromptRule>> = {
  purchase: { ask: 'stars', weight: 1 },
  convert: { ask: 'stars', weight: 1 },
  view: { ask: 'stars', weight: 0.8, from: 90 },
  share: { ask: 'thumb-up', weight: 0.6 },
  save: { ask: 'thumb-up', weight: 0.5 },
  skip: { ask: 'not-interested', weight: 0.2 },
};
