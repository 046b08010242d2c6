/**
 * Owns the list of sources that signals come from, as data: on what terms each may be used, for which purposes, how
 * far it is trusted, and which of its events a person meant as feedback. Nothing is read from a source that is not
 * declared here; a `web` event is as much declared as a file.
 */
import { EVENT_TYPES, type EventType } from '../contract-kit/event.ts';
import { type ConsentBasis, PURPOSES, type Purpose } from '../contract-kit/purposes.ts';
import { AppError } from '../errors.ts';
import { nearestName } from './nearest-name.ts';

/**
 * How far a source is trusted: `verified` = checked against ground truth or by its publisher; `measured` = recorded
 * first-hand by our own collectors; `reported` = somebody else's word, checked for form only; `synthetic` = made up.
 */
export const RELIABILITY_GRADES = ['verified', 'measured', 'reported', 'synthetic'] as const;
export type ReliabilityGrade = (typeof RELIABILITY_GRADES)[number];

export interface LicenceTerms {
  /** Name of the licence or agreement. */
  readonly name: string;
  /** What it demands, in a sentence for people. */
  readonly terms: string;
  readonly redistribution: boolean;
  readonly commercialUse: boolean;
}

export interface SourceDeclaration {
  /** Stable; stored with every event. Lower-case letters, digits and dashes. */
  readonly name: string;
  readonly title: string;
  readonly licence: LicenceTerms;
  /** Ground on which consent states of this source rest. */
  readonly basis: ConsentBasis;
  /** Where the records of consent come from: with the data, or written by `millrace import` from the licence. */
  readonly consents: 'supplied' | 'written-on-import';
  /** Purposes for which the source may be used at all; a person's consent narrows this further. */
  readonly purposes: readonly Purpose[];
  readonly reliability: ReliabilityGrade;
  /** Event types that may come from this source. */
  readonly eventTypes: readonly EventType[];
  /** The event types by which a person of this source says something on purpose; the rest is behaviour. */
  readonly explicit: readonly EventType[];
}

/** Event types that are feedback given on purpose, wherever they come from. */
const GIVEN_ON_PURPOSE = ['like', 'rating', 'thumb', 'not-interested', 'survey', 'comment'] as const;

export const SOURCES = [
  {
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
    eventTypes: EVENT_TYPES,
    explicit: GIVEN_ON_PURPOSE,
  },
  {
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
    eventTypes: EVENT_TYPES,
    explicit: GIVEN_ON_PURPOSE,
  },
  {
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
    eventTypes: ['rating'],
    explicit: ['rating'],
  },
  {
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
    eventTypes: EVENT_TYPES,
    explicit: GIVEN_ON_PURPOSE,
  },
] as const satisfies readonly [SourceDeclaration, ...SourceDeclaration[]];

export type SourceName = (typeof SOURCES)[number]['name'];

const names = SOURCES.map((source) => source.name) as [SourceName, ...SourceName[]];

/** The declaration of a source. Throws NOT_FOUND that names the nearest declared one. */
export function sourceDeclaration(name: string): SourceDeclaration {
  const found = SOURCES.find((source) => source.name === name);
  if (found !== undefined) return found;
  const nearest = nearestName(name, names);
  throw new AppError('NOT_FOUND', {
    message: `There is no source "${name}"; did you mean "${nearest}"?`,
    details: { name, nearest, known: names },
  });
}

/** Whether an event type of a source is feedback given on purpose. */
export function isExplicit(source: SourceDeclaration, type: EventType): boolean {
  return source.explicit.includes(type);
}

/** Purposes asked for that the source may serve; order as declared. */
export function allowedPurposes(source: SourceDeclaration, asked: readonly Purpose[] = PURPOSES): Purpose[] {
  return source.purposes.filter((purpose) => asked.includes(purpose));
}
