/** Owns the declaration of access logs of web servers as a source. */
import { EVENT_TYPES } from '../../contract-kit/event.ts';
import { defineSource } from '../define-source.ts';
import { CROWD_LIMIT } from '../person-limit.ts';

export const accessLog = defineSource({
  name: 'access-log',
  title: 'Access logs of web servers, common and combined format',
  licence: {
    name: 'first-party',
    terms: 'Logs of the operator’s own servers, under its own privacy notice.',
    redistribution: false,
    commercialUse: true,
  },
  basis: 'consent',
  consents: 'supplied',
  purposes: ['recommendation', 'segmentation', 'audit', 'measurement'],
  reliability: 'measured',
  influenceMax: 0.5,
  rate: null,
  perPerson: CROWD_LIMIT,
  retentionDays: 180,
  eventTypes: EVENT_TYPES,
  explicit: [],
  schemas: {},
});
