/** Owns the declaration of the simulated platform as a source. */
import { EVENT_TYPES } from '../../contract-kit/event.ts';
import { PURPOSES } from '../../contract-kit/purposes.ts';
import { defineSource, GIVEN_ON_PURPOSE } from '../define-source.ts';

export const simulated = defineSource({
  name: 'simulated',
  title: 'Simulated short-video platform',
  licence: {
    name: 'Apache-2.0',
    terms: 'Made by this project; describes nobody.',
    redistribution: true,
    commercialUse: true,
  },
  basis: 'consent',
  consents: 'supplied',
  purposes: PURPOSES,
  reliability: 'synthetic',
  influenceMax: 1,
  rate: null,
  perPerson: null,
  retentionDays: null,
  eventTypes: EVENT_TYPES,
  explicit: GIVEN_ON_PURPOSE,
  schemas: {},
});
