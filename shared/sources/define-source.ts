/**
 * Owns what a source of signals must declare before anything is read from it: on what terms, for which purposes, how fast, how long,
 * how far it is trusted, how much it may move, and how its records become canonical events. The runtime holds it to that.
 */
import type { EventType } from '../contract-kit/event.ts';
import type { ConsentBasis, Purpose } from '../contract-kit/purposes.ts';
import { AppError } from '../errors.ts';
import { type EventMapping, eventMappingSchema, SCHEMA_NAME } from './mapping.ts';
import type { PersonLimit } from './person-limit.ts';

/**
 * The maturity model, from the least: `synthetic` = made up; `reported` = somebody else's word, checked for form only; `measured` =
 * recorded first-hand by our own collectors; `verified` = checked against ground truth or by its publisher. A source rises when what
 * the next grade asks for is shown, and its influence with it.
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
  /** Most of a feature's weight that this source may make up, above 0 to 1. */
  readonly influenceMax: number;
  /** Batches a second of one tenant, and how many may come at once; null: as fast as the queue takes them. */
  readonly rate: { readonly perSecond: number; readonly burst: number } | null;
  /** Events of one person in a window of time; what is more waits in the quarantine. null: as many as there are. */
  readonly perPerson: PersonLimit | null;
  /** Days for which its events are kept from when they were recorded; null: until the person or the operator says otherwise. */
  readonly retentionDays: number | null;
  /** Event types that may come from this source. */
  readonly eventTypes: readonly EventType[];
  /** The event types by which a person of this source says something on purpose; the rest is behaviour. */
  readonly explicit: readonly EventType[];
  /** Versions of its own records and how each becomes canonical events. A batch that names none is canonical already. */
  readonly schemas: Readonly<Record<string, EventMapping>>;
}

/** Event types that are feedback given on purpose, wherever they come from. */
export const GIVEN_ON_PURPOSE = ['like', 'rating', 'thumb', 'not-interested', 'survey', 'comment'] as const;

function problemsOf(source: SourceDeclaration): string[] {
  const { name, influenceMax, rate, perPerson, retentionDays, eventTypes, explicit, schemas } = source;
  const problems: string[] = [];
  if (!(influenceMax > 0 && influenceMax <= 1)) problems.push('influenceMax must be above 0 and at most 1');
  if (rate !== null && !(rate.perSecond > 0 && rate.burst >= 1)) problems.push('rate must be positive');
  if (perPerson !== null && !(perPerson.events >= 1 && perPerson.minutes >= 1))
    problems.push('perPerson must allow at least an event in at least a minute');
  if (retentionDays !== null && !(retentionDays >= 1)) problems.push('retentionDays must be at least 1');
  if (explicit.some((type) => !eventTypes.includes(type))) problems.push('explicit types must be among eventTypes');
  for (const [version, mapping] of Object.entries(schemas)) {
    if (!SCHEMA_NAME.test(version)) problems.push(`schema "${version}" is no name`);
    const parsed = eventMappingSchema.safeParse(mapping);
    if (!parsed.success) problems.push(`schema "${version}": ${parsed.error.issues[0]?.message}`);
  }
  return problems.map((problem) => `source ${name}: ${problem}`);
}

/** Checks a declaration when the process starts. Throws CONFIG_INVALID with every problem. */
export function defineSource<const T extends SourceDeclaration>(source: T): T {
  const problems = problemsOf(source);
  if (problems.length > 0)
    throw new AppError('CONFIG_INVALID', { message: problems.join('; '), details: { problems } });
  return source;
}
