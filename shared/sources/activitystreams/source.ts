/** Owns the declaration of social signals as a source: ActivityStreams 2.0 documents of other platforms. */
import { defineSource } from '../define-source.ts';
import { PERSON_LIMIT } from '../person-limit.ts';

export const activityStreams = defineSource({
  name: 'activitystreams',
  title: 'Social signals of other platforms, as ActivityStreams 2.0 documents',
  licence: {
    name: 'as the platform and the person agree',
    terms: 'What people published or handed over; taken back at its origin, it is to be erased here.',
    redistribution: false,
    commercialUse: true,
  },
  basis: 'consent',
  consents: 'supplied',
  purposes: ['recommendation', 'segmentation', 'audit'],
  reliability: 'reported',
  influenceMax: 0.3,
  rate: { perSecond: 50, burst: 500 },
  perPerson: PERSON_LIMIT,
  retentionDays: 730,
  eventTypes: ['like', 'share', 'follow', 'comment', 'view', 'thumb', 'not-interested'],
  explicit: ['like', 'comment', 'thumb', 'not-interested'],
  schemas: {},
});
