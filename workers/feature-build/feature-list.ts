/**
 * Owns the list of behaviour features: their names, order and meaning. Acts are all events but impressions (what only the platform did);
 * consumed items are those with at least one act that the interaction table counts as having met the item.
 * Figures that many people lack are NaN there ("no value"), never 0.
 *
 * Mean novelty, -log2(share of people), is left out beside mean popularity: it is the same figure turned round, and would count twice in distances.
 */
export const FEATURES = [
  /** ln(1 + acts). */
  'activity',
  /** Days since the last act. */
  'daysSinceLast',
  /** ln(1 + sum over acts of 2^(-age / half-life)). */
  'recentActivity',
  /** ln(1 + days (UTC) with an act). */
  'activeDays',
  /** Mean percentage of views, 0..100; NaN without views. */
  'viewPercent',
  /** Explicit positive statements per act. */
  'positiveShare',
  /** Explicit negative statements per act. */
  'negativeShare',
  /** Mean rating as a share of the source's scale; NaN without ratings. */
  'ratingMean',
  /** ln(1 + consumed items). */
  'distinctItems',
  /** Shannon entropy, bits, of the topics of consumed items (an item's topics share its weight); NaN where none is known. */
  'topicEntropy',
  /** Shannon entropy, bits, of the creators of consumed items; NaN where none is known. */
  'creatorEntropy',
  /** Mean over consumed items of ln(people who consumed the item); NaN without items. */
  'popularity',
  /** Mean over consumed items of ln(1 + days from publication to the first act, at least 0); NaN where none is known. */
  'itemAge',
  /** Share of acts from 0 to 5 o'clock UTC. */
  'nightShare',
  /** ln(1 + mean minutes from first to last act of a session). */
  'sessionMinutes',
  /** ln(1 + mean acts of a session). */
  'sessionActs',
  /** Shares of acts whose device is known; NaN where none is. */
  'phoneShare',
  'tabletShare',
  'desktopShare',
  'tvShare',
] as const;
export type Feature = (typeof FEATURES)[number];

/** In the order of their features, which follow one another. */
export const DEVICE_SHARES = ['phone', 'tablet', 'desktop', 'tv'] as const;

/** Acts further apart than this belong to different sessions, unless their source says that it is one. */
export const SESSION_GAP_MS = 30 * 60_000;
export const NIGHT_END_HOUR = 5;
