/** Owns the names of purposes: what people's data may be used for, each consented to on its own. */
import { z } from 'zod';

export const PURPOSES = ['recommendation', 'segmentation', 'audit', 'measurement'] as const;

export const purposeSchema = z.enum(PURPOSES);
export type Purpose = (typeof PURPOSES)[number];

/** What a person is told each purpose means. */
export const PURPOSE_TEXTS: Readonly<Record<Purpose, string>> = {
  recommendation: 'to learn what you like and recommend items to you',
  segmentation: 'to group you with people who behave alike',
  audit: 'to check that recommendations treat groups of people fairly',
  measurement: 'to measure how well the service works',
};

/** On what ground a consent state rests. `dataset-licence` marks imported research data, which carries no consents of its own. */
export const CONSENT_BASES = ['consent', 'contract', 'legitimate-interest', 'dataset-licence'] as const;
export type ConsentBasis = (typeof CONSENT_BASES)[number];
