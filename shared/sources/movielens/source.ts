/** Owns the declaration of MovieLens as a source. */
import { defineSource } from '../define-source.ts';

export const movielens = defineSource({
  name: 'movielens',
  title: 'MovieLens ratings (100K, 1M, CSV releases)',
  licence: {
    name: 'GroupLens research licence',
    terms:
      'Research use with acknowledgement; no redistribution and no commercial use without permission of GroupLens; no statement that GroupLens endorses the result.',
    redistribution: false,
    commercialUse: false,
  },
  basis: 'dataset-licence',
  consents: 'written-on-import',
  purposes: ['recommendation', 'segmentation', 'audit'],
  reliability: 'verified',
  influenceMax: 1,
  rate: null,
  perPerson: null,
  retentionDays: null,
  eventTypes: ['rating'],
  explicit: ['rating'],
  schemas: {},
});
