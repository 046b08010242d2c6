/** Owns the declaration of the circumstances that people are in at a moment: with what, where about, when by their own clock, and whether at it. */
import { defineView } from '../define-view.ts';

/** Half-life of usual hours, days. */
export const USUAL_DAYS = 30;
/** Places are known to whole degrees, about 100 km, however exact they came. */
export const PLACE_DEGREES = 1;

const whole = { cap: 'none' } as const;

export const context = defineView({
  version: 3,
  title: 'The circumstances that people are in at a moment',
  needs: { events: 'acts', reads: ['profiles'] },
  features: {
    onPhone: { kind: 'flag', ...whole, says: 'the last act whose device is known was on a phone' },
    onTablet: { kind: 'flag', ...whole, says: 'likewise on a tablet' },
    onDesktop: { kind: 'flag', ...whole, says: 'likewise on a desktop' },
    onTv: { kind: 'flag', ...whole, says: 'likewise on a television' },
    placeLatitude: { kind: 'mean', ...whole, says: 'coarse place, whole degrees; no value where none is known' },
    placeLongitude: { kind: 'mean', ...whole, says: 'likewise' },
    hourSin: { kind: 'cycle', ...whole, says: 'sine of the local time of day at that moment' },
    hourCos: { kind: 'cycle', ...whole, says: 'cosine of the same' },
    usualHourSin: {
      kind: 'cycle',
      cap: 'source',
      says: 'mean sine of the local time of acts, by a half-life of 30 days: the shorter the vector, the less regular',
    },
    usualHourCos: { kind: 'cycle', cap: 'source', says: 'mean cosine of the same' },
    weekendShare: {
      kind: 'share',
      cap: 'source',
      says: 'acts on local Saturdays and Sundays, by a half-life of 30 days',
    },
    seasonSin: {
      kind: 'cycle',
      ...whole,
      says: 'sine of the time of year; turned by half a year south of the equator',
    },
    seasonCos: { kind: 'cycle', ...whole, says: 'cosine of the same' },
    inSession: { kind: 'flag', ...whole, says: 'the last act is at most half an hour old' },
    sessionActs: { kind: 'count', ...whole, says: 'acts of that session so far; 0 outside of one' },
    isReturning: { kind: 'flag', ...whole, says: 'there was a session before this one' },
    daysAway: { kind: 'days', ...whole, says: 'days since the last act of the session before; no value without one' },
  },
});
