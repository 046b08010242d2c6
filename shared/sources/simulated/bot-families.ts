/** Owns the kinds of bots of the simulated platform. */

/**
 * The first five are loud: each has one habit that people do not have. The others take care to look like people: they keep
 * human hours, pauses and a share of ordinary acts, or change what they copy.
 */
export const BOT_FAMILIES = [
  'metronome',
  'burst',
  'sweeper',
  'replayer',
  'rating-farm',
  'ring',
  'downvote-ring',
  'copycat',
  'looper',
  'drip',
] as const;
export type BotFamily = (typeof BOT_FAMILIES)[number];

/** Drawn unless others are asked for. */
export const LOUD_BOT_FAMILIES = ['metronome', 'burst', 'sweeper', 'replayer', 'rating-farm'] as const;

/** Families whose accounts work together in groups that share a script or a target. */
export const RING_FAMILIES: ReadonlySet<BotFamily> = new Set(['replayer', 'ring', 'downvote-ring', 'copycat']);
