/** Owns the declaration of mobile apps as a source, and how coarse a place may be kept. */
import { defineSource } from '../define-source.ts';
import { PERSON_LIMIT } from '../person-limit.ts';

export const mobile = defineSource({
  name: 'mobile',
  title: 'The SDK that mobile apps carry: acts, with where and how somebody was moving, coarsely',
  licence: {
    name: 'first-party',
    terms: 'Collected in the operator’s own apps, after consent, under its own privacy notice.',
    redistribution: false,
    commercialUse: true,
  },
  basis: 'consent',
  consents: 'supplied',
  purposes: ['recommendation', 'segmentation', 'audit', 'measurement'],
  reliability: 'reported', // anybody can take the key out of an app
  influenceMax: 0.5,
  rate: { perSecond: 200, burst: 2_000 },
  perPerson: PERSON_LIMIT,
  retentionDays: 365,
  eventTypes: [
    'impression',
    'view',
    'click',
    'search',
    'share',
    'like',
    'save',
    'skip',
    'thumb',
    'rating',
    'not-interested',
  ],
  explicit: ['like', 'thumb', 'rating', 'not-interested'],
  schemas: {},
});

/**
 * The declared grid: rings of so many degrees of latitude, each cut into cells that are nowhere narrower than a ring is high. 0.1 degree is
 * 11 km: a town, never a street.
 */
export const PLACE_GRID_DEGREES = 0.1;
