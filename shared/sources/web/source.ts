/** Owns the declaration of the platform's own services as a source. */
import { EVENT_TYPES } from '../../contract-kit/event.ts';
import { PURPOSES } from '../../contract-kit/purposes.ts';
import { defineSource, GIVEN_ON_PURPOSE } from '../define-source.ts';
import { PERSON_LIMIT } from '../person-limit.ts';

export const web = defineSource({
  name: 'web',
  title: 'The platform’s own services, through the client or the gateway',
  licence: {
    name: 'first-party',
    terms: 'Collected by the operator under its own privacy notice.',
    redistribution: false,
    commercialUse: true,
  },
  basis: 'consent',
  consents: 'supplied',
  purposes: PURPOSES,
  reliability: 'measured',
  influenceMax: 1,
  rate: null,
  perPerson: PERSON_LIMIT,
  retentionDays: null,
  eventTypes: EVENT_TYPES,
  explicit: GIVEN_ON_PURPOSE,
  schemas: {},
});
