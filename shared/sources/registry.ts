/**
 * Owns the list of declared sources, one folder each, and what holds for a name that no folder declares. A `web` event is as much
 * declared as a file.
 */
import { EVENT_TYPES, type EventType } from '../contract-kit/event.ts';
import { PURPOSES, type Purpose } from '../contract-kit/purposes.ts';
import { AppError } from '../errors.ts';
import { accessLog } from './access-log/source.ts';
import { activityStreams } from './activitystreams/source.ts';
import { defineSource, GIVEN_ON_PURPOSE, type SourceDeclaration } from './define-source.ts';
import { eventsFile } from './events-file/source.ts';
import { feed } from './feed/source.ts';
import { feedback } from './feedback/source.ts';
import { mobile } from './mobile/source.ts';
import { movielens } from './movielens/source.ts';
import { nearestName } from './nearest-name.ts';
import { PERSON_LIMIT } from './person-limit.ts';
import { simulated } from './simulated/source.ts';
import { webPixel } from './web-pixel/source.ts';
import { web } from './web/source.ts';

export type { SourceDeclaration };

export const SOURCES = [
  web,
  webPixel,
  mobile,
  feedback,
  feed,
  simulated,
  movielens,
  eventsFile,
  accessLog,
  activityStreams,
] as const;

export type SourceName = (typeof SOURCES)[number]['name'];

/** What holds for a name that an operator made up: its own terms, nobody's guarantee, and little weight. */
export const UNDECLARED = defineSource({
  name: 'undeclared',
  title: 'Any name that is not declared',
  licence: {
    name: 'as the operator states',
    terms: 'The operator answers for the right to use what comes under this name.',
    redistribution: false,
    commercialUse: false,
  },
  basis: 'consent',
  consents: 'supplied',
  purposes: PURPOSES,
  reliability: 'reported',
  influenceMax: 0.25,
  rate: null,
  perPerson: PERSON_LIMIT,
  retentionDays: null,
  eventTypes: EVENT_TYPES,
  explicit: GIVEN_ON_PURPOSE,
  schemas: {},
});

const byName = new Map<string, SourceDeclaration>(SOURCES.map((source) => [source.name, source]));
const names = SOURCES.map((source) => source.name) as [SourceName, ...SourceName[]];

/** What holds for events that carry this name. */
export const sourceOf = (name: string): SourceDeclaration => byName.get(name) ?? UNDECLARED;

/** The declaration of a source. Throws NOT_FOUND that names the nearest declared one. */
export function sourceDeclaration(name: string): SourceDeclaration {
  const found = byName.get(name);
  if (found !== undefined) return found;
  const nearest = nearestName(name, names);
  throw new AppError('NOT_FOUND', {
    message: `There is no source "${name}"; did you mean "${nearest}"?`,
    details: { name, nearest, known: names },
  });
}

/** The most that each of these sources may make up of a figure. */
export const sharesOf = (names: readonly string[]): Float64Array =>
  Float64Array.from(names, (name) => sourceOf(name).influenceMax);

/** The shortest time that any source declares, days; Infinity: none declares one. */
export const SHORTEST_RETENTION_DAYS = [...SOURCES, UNDECLARED].reduce(
  (least, { retentionDays }) => Math.min(least, retentionDays ?? Number.POSITIVE_INFINITY),
  Number.POSITIVE_INFINITY,
);

/** Whether an event type of a source is feedback given on purpose. */
export function isExplicit(source: SourceDeclaration, type: EventType): boolean {
  return source.explicit.includes(type);
}

/** Purposes asked for that the source may serve; order as declared. */
export function allowedPurposes(source: SourceDeclaration, asked: readonly Purpose[] = PURPOSES): Purpose[] {
  return source.purposes.filter((purpose) => asked.includes(purpose));
}
