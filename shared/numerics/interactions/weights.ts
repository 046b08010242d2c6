/**
 * Owns what an event says about liking: the one versioned table from (type, value) to a weight. Training, candidates and audit
 * read the same table, so that "has liked" means the same everywhere.
 */
import { EVENT_TYPES, type EventType } from '../../contract-kit/event.ts';

/** Raised whenever a row below changes its meaning; recorded beside every model. */
export const INTERACTION_TABLE_VERSION = 2;

/** How one type of event is read. */
export interface InteractionRule {
  /**
   * `seen`: the person met the item by an act of their own, so it is not recommended again. False for what only the platform
   * did (impressions) and for what is not about an item.
   */
  readonly seen: boolean;
  /** Weight of a positive event; 0: the type never counts as liking. */
  readonly weight: number;
  /** A value below it is not positive. `scale`: the threshold is a share of the source's scale. Absent: no value is needed. */
  readonly positiveFrom?: { readonly value: number } | { readonly scale: number };
  /** Explicit statements overrule each other in order of time; the last one decides whether the pair counts at all. */
  readonly explicit: boolean;
}

const implicit = (weight: number): InteractionRule => ({ seen: true, weight, explicit: false });
const stated = (weight: number): InteractionRule => ({ seen: true, weight, explicit: true });

/**
 * Weights order signals by effort; models whose weighting is `none` read only that they are above 0.
 * A rating counts from 0.6 of its scale (3 of 5, 6 of 10), what is below is a dislike. Sources rate up to 5 or up to 10; which of both
 * is decided by the highest rating of the source and week among the surviving rows (see `RatingScales`), since sources do not say it.
 */
export const INTERACTION_TABLE: Readonly<Record<EventType, InteractionRule>> = {
  impression: { seen: false, weight: 0, explicit: false },
  view: { ...implicit(1), positiveFrom: { value: 50 } },
  click: implicit(0.5),
  search: { seen: false, weight: 0, explicit: false },
  share: implicit(2),
  like: stated(1.5),
  follow: implicit(1.5),
  // A comment may be angry: that it was written is known, not what it says.
  comment: implicit(0),
  rating: { ...stated(1), positiveFrom: { scale: 0.6 } },
  thumb: { ...stated(1.5), positiveFrom: { value: 0.5 } },
  'not-interested': { seen: true, weight: 0, explicit: true },
  purchase: implicit(3),
  convert: implicit(3),
  save: implicit(1.5),
  // Skipping is meeting; a single skip is too weak to overrule a like.
  skip: implicit(0),
  survey: { seen: false, weight: 0, explicit: false },
};

/** Scales that ratings come on, ascending; a source has the first that holds its highest rating. */
export const RATING_SCALES = [5, 10] as const;

/** The table as arrays by event type, as threads read it. */
export interface InteractionArrays {
  readonly seen: Uint8Array;
  readonly explicit: Uint8Array;
  readonly weight: Float32Array;
  /** -Infinity: no value is needed. */
  readonly positiveFrom: Float32Array;
  /** 1: `positiveFrom` is a share of the source's scale. */
  readonly scaled: Uint8Array;
}

export function interactionArrays(
  table: Readonly<Record<EventType, InteractionRule>> = INTERACTION_TABLE,
): InteractionArrays {
  const rules = EVENT_TYPES.map((type) => table[type]);
  const thresholds = rules.map(({ positiveFrom }) => {
    if (positiveFrom === undefined) return { from: -Infinity, scaled: 0 };
    return 'value' in positiveFrom ? { from: positiveFrom.value, scaled: 0 } : { from: positiveFrom.scale, scaled: 1 };
  });
  return {
    seen: Uint8Array.from(rules, (rule) => Number(rule.seen)),
    explicit: Uint8Array.from(rules, (rule) => Number(rule.explicit)),
    weight: Float32Array.from(rules, (rule) => rule.weight),
    positiveFrom: Float32Array.from(thresholds, ({ from }) => from),
    scaled: Uint8Array.from(thresholds, ({ scaled }) => scaled),
  };
}
