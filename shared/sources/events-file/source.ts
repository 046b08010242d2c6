/** Owns the declaration of files of events as a source. */
import { EVENT_TYPES } from '../../contract-kit/event.ts';
import { defineSource, GIVEN_ON_PURPOSE } from '../define-source.ts';
import { CROWD_LIMIT } from '../person-limit.ts';

export const eventsFile = defineSource({
  name: 'events-file',
  title: 'Events imported from a JSONL or CSV file',
  licence: {
    name: 'as the operator states',
    terms: 'The operator answers for the right to use the file.',
    redistribution: false,
    commercialUse: true,
  },
  basis: 'dataset-licence',
  consents: 'written-on-import',
  purposes: ['recommendation', 'segmentation', 'audit'],
  reliability: 'reported',
  influenceMax: 0.5,
  rate: null,
  perPerson: CROWD_LIMIT,
  retentionDays: null,
  eventTypes: EVENT_TYPES,
  explicit: GIVEN_ON_PURPOSE,
  schemas: {},
});
