/**
 * Owns the declaration of how recently, how often and how strongly people act, and how far that is to be believed: what weights are made of.
 * An act that is `a` days old counts 2^(-a / h) under a half-life of h days: recent acts count more, and history stays.
 */
import { defineView } from '../define-view.ts';

/** Half-lives of recency, days. */
export const RECENCY_DAYS = [1, 7, 30, 90] as const;
/** Spans over which active days are counted, days. */
export const FREQUENCY_DAYS = [7, 28] as const;
/** Half-life of averages, days. */
export const AVERAGE_DAYS = 30;
/** Half-life of how strongly somebody acts of late. */
export const LATELY_DAYS = 7;
/**
 * Acts of an even weight that are believed half: confidence is n / (n + this), the credibility factor of Buehlmann (1967), with n the
 * effective number of acts (sum w)^2 / sum w^2 of Kish (1965) over their weights under `AVERAGE_DAYS`.
 */
export const HALF_BELIEVED_ACTS = 10;
/** A view of at least so many per cent is complete. */
export const COMPLETE_PERCENT = 90;

const perSource = { cap: 'source' } as const;
const whole = { cap: 'none' } as const;

export const engagement = defineView({
  version: 2,
  title: 'How recently, how often and how strongly people act, and how far that is to be believed',
  needs: { events: 'acts', reads: [] },
  features: {
    recency1: { kind: 'count', ...perSource, says: 'acts, by a half-life of 1 day' },
    recency7: { kind: 'count', ...perSource, says: 'acts, by a half-life of 7 days' },
    recency30: { kind: 'count', ...perSource, says: 'acts, by a half-life of 30 days' },
    recency90: { kind: 'count', ...perSource, says: 'acts, by a half-life of 90 days' },
    frequency7: { kind: 'share', ...whole, says: 'of the last 7 days, those with an act' },
    frequency28: { kind: 'share', ...whole, says: 'of the last 28 days, those with an act' },
    confidence: {
      kind: 'share',
      ...perSource,
      says: 'n / (n + 10), n the effective number of acts by a half-life of 30 days',
    },
    intensity: { kind: 'mean', ...perSource, says: 'effort an act (effort.ts), by a half-life of 30 days' },
    intensityLately: { kind: 'mean', ...perSource, says: 'effort an act, by a half-life of 7 days' },
    viewPercent: {
      kind: 'mean',
      ...perSource,
      says: 'percentage of views, 0..100, by a half-life of 30 days; no value without views',
    },
    completeShare: {
      kind: 'share',
      ...perSource,
      says: 'views of 90 % and more, by a half-life of 30 days; no value without views',
    },
    likingShare: {
      kind: 'share',
      ...perSource,
      says: 'explicit statements that are positive, (p + 1) / (n + 2), by a half-life of 30 days; no value without one',
    },
  },
});
