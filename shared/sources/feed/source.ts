/** Owns the declaration of feeds of items and of profiles as a source. It gives no events. */
import { defineSource } from '../define-source.ts';

export const feed = defineSource({
  name: 'feed',
  title: 'Feeds of catalogue items and of profiles, as JSON lines',
  licence: {
    name: 'as the operator states',
    terms: 'The operator answers for the right to use the feed.',
    redistribution: false,
    commercialUse: true,
  },
  basis: 'contract',
  consents: 'supplied',
  purposes: ['recommendation', 'segmentation', 'audit'],
  reliability: 'reported',
  influenceMax: 1,
  rate: null,
  perPerson: null,
  retentionDays: null,
  eventTypes: [],
  explicit: [],
  schemas: {},
});
