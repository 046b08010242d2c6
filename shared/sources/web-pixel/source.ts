/** Owns the declaration of the web pixel as a source. */
import { defineSource } from '../define-source.ts';
import { PERSON_LIMIT } from '../person-limit.ts';

export const webPixel = defineSource({
  name: 'web-pixel',
  title: 'The script and the 1x1 image that web pages carry',
  licence: {
    name: 'first-party',
    terms: 'Collected on the operator’s own pages, after consent, under its own privacy notice.',
    redistribution: false,
    commercialUse: true,
  },
  basis: 'consent',
  consents: 'supplied',
  purposes: ['recommendation', 'segmentation', 'audit', 'measurement'],
  reliability: 'reported', // anybody can write to a page's own key
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
