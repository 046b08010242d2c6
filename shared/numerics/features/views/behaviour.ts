/**
 * Owns the declaration of how people behave, all that is known of them taken together. Acts are all events but impressions (what only the
 * platform did); consumed items are those with at least one act that the interaction table counts as having met the item. Figures that
 * many people lack are NaN there ("no value"), never 0.
 *
 * Mean novelty, -log2(share of people), is left out beside mean popularity: it is the same figure turned round, and would count twice in distances.
 */
import { defineView } from '../define-view.ts';

const perSource = { cap: 'source' } as const;
const whole = { cap: 'none' } as const;

export const behaviour = defineView({
  version: 3,
  title: 'What people do, over all that is known of them',
  needs: { events: 'acts', reads: ['catalogue'] },
  features: {
    activity: { kind: 'count', ...perSource, says: 'acts' },
    daysSinceLast: { kind: 'days', ...whole, says: 'days since the last act' },
    recentActivity: { kind: 'count', ...perSource, says: 'acts, each counted 2^(-age / half-life)' },
    activeDays: { kind: 'count', ...whole, says: 'days (UTC) with an act' },
    viewPercent: { kind: 'mean', ...perSource, says: 'percentage of views, 0..100; no value without views' },
    positiveShare: { kind: 'share', ...perSource, says: 'explicit positive statements per act' },
    negativeShare: { kind: 'share', ...perSource, says: 'explicit negative statements per act' },
    ratingMean: {
      kind: 'share',
      ...perSource,
      says: "rating as a share of its source's scale; no value without ratings",
    },
    distinctItems: { kind: 'count', ...whole, says: 'consumed items' },
    topicEntropy: {
      kind: 'entropy',
      ...whole,
      says: "topics of consumed items (an item's topics share its weight); no value where none is known",
    },
    creatorEntropy: { kind: 'entropy', ...whole, says: 'creators of consumed items; no value where none is known' },
    popularity: {
      kind: 'mean',
      ...whole,
      says: 'ln(people who consumed the item) over consumed items; no value without items',
    },
    itemAge: {
      kind: 'mean',
      ...whole,
      says: 'ln(1 + days from publication to the first act, at least 0) over consumed items; no value where none is known',
    },
    nightShare: { kind: 'share', ...perSource, says: "acts from 0 to 5 o'clock UTC" },
    sessionMinutes: { kind: 'count', ...whole, says: 'minutes from first to last act of a session, on average' },
    sessionActs: { kind: 'count', ...whole, says: 'acts of a session, on average' },
    phoneShare: { kind: 'share', ...perSource, says: 'acts on a phone, of those whose device is known' },
    tabletShare: { kind: 'share', ...perSource, says: 'acts on a tablet, of those whose device is known' },
    desktopShare: { kind: 'share', ...perSource, says: 'acts on a desktop, of those whose device is known' },
    tvShare: { kind: 'share', ...perSource, says: 'acts on a television, of those whose device is known' },
  },
});
