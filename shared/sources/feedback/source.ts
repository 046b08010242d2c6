/** Owns the declaration of what people answer when they are asked, or say unasked: explicit feedback. */
import { defineSource } from '../define-source.ts';
import { PERSON_LIMIT } from '../person-limit.ts';

export const feedback = defineSource({
  name: 'feedback',
  title: 'What people say on purpose: ratings, thumbs, surveys, reasons, "not interested"',
  licence: {
    name: 'first-party',
    terms: 'Given by the person for this use; they may take it back.',
    redistribution: false,
    commercialUse: true,
  },
  basis: 'consent',
  consents: 'supplied',
  purposes: ['recommendation', 'segmentation', 'audit', 'measurement'],
  reliability: 'measured',
  influenceMax: 1,
  rate: null,
  perPerson: PERSON_LIMIT,
  retentionDays: null,
  eventTypes: ['like', 'rating', 'thumb', 'survey', 'not-interested'],
  explicit: ['like', 'rating', 'thumb', 'survey', 'not-interested'],
  schemas: {},
});
