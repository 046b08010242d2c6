/**
 * Owns the grammar of ActivityStreams 2.0 (W3C Recommendation, 23 May 2017) as far as it is needed: the context, types, references and
 * times. A value that breaks it is told with its field, never guessed.
 */
import { ID_CHARS_MAX } from '../../contract-kit/event-fields.ts';

export type Document = Readonly<Record<string, unknown>>;

/** What is wrong, and where in the document. */
export interface Fault {
  readonly field: string;
  readonly reason: string;
}
export type Read<T> = { readonly value: T } | Fault;
export const isFault = (read: Read<unknown>): read is Fault => 'reason' in read;
export const fault = (field: string, reason: string): Fault => ({ field, reason });

/** Actors or objects of one activity; members of `type`. */
const VALUES_MAX = 100;
const CONTEXTS: ReadonlySet<unknown> = new Set([
  'https://www.w3.org/ns/activitystreams',
  'https://www.w3.org/ns/activitystreams#',
  'http://www.w3.org/ns/activitystreams',
]);

export const isDocument = (value: unknown): value is Document =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
/** A property with several values is an array; with one it may be the value itself (section 4). */
export const listOf = (value: unknown): readonly unknown[] =>
  value === undefined || value === null ? [] : Array.isArray(value) ? (value as unknown[]) : [value];

/** Section 2.1: without a context the normative one is meant; one that is given must name it. */
export function checkContext({ '@context': context }: Document): Fault | undefined {
  if (context === undefined || listOf(context).some((entry) => CONTEXTS.has(entry))) return undefined;
  return fault('@context', 'does not name https://www.w3.org/ns/activitystreams');
}

/** Names of types without the namespace. */
export function typesOf({ type, '@type': alias }: Document): string[] {
  return listOf(type ?? alias)
    .filter((name) => typeof name === 'string')
    .slice(0, VALUES_MAX)
    .map((name) => name.replace(/^(?:as:|https?:\/\/www\.w3\.org\/ns\/activitystreams#)/, ''));
}

/** An absolute IRI (RFC 3987), without what may not stand in one. */
const IRI = /^[A-Za-z][A-Za-z0-9+.-]*:[^\s<>"{}|\\^`]+$/;

function iriOf(value: unknown, field: string): Read<string> {
  if (typeof value !== 'string' || !IRI.test(value)) return fault(field, 'must be an absolute IRI');
  return value.length > ID_CHARS_MAX ? fault(field, `is longer than ${ID_CHARS_MAX} characters`) : { value };
}

/** What a value refers to: an IRI, a Link (its href), or an object (its id). */
export function referenceOf(value: unknown, field: string): Read<string> {
  if (!isDocument(value)) return iriOf(value, field);
  if (typesOf(value).some((type) => type === 'Link' || type === 'Mention')) return iriOf(value.href, `${field}.href`);
  return iriOf(value.id ?? value['@id'], `${field}.id`);
}

/** Everything that a property refers to. */
export function referencesOf(value: unknown, field: string): Read<string[]> {
  const values = listOf(value);
  if (values.length === 0) return fault(field, 'is needed');
  if (values.length > VALUES_MAX) return fault(field, `has more than ${VALUES_MAX} values`);
  const references: string[] = [];
  for (const one of values) {
    const read = referenceOf(one, field);
    if (isFault(read)) return read;
    references.push(read.value);
  }
  return { value: [...new Set(references)] };
}

/** xsd:dateTime; seconds may be left out, the offset not (section 2.3). */
const DATE_TIME = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:[Zz]|[+-]\d\d:\d\d)$/;

export function timeOf(value: unknown, field: string): Read<number> {
  const ms = typeof value === 'string' && DATE_TIME.test(value) ? Date.parse(value.toUpperCase()) : Number.NaN;
  return Number.isNaN(ms)
    ? fault(field, 'must be a date and time with an offset, like 2026-03-01T12:00:00Z')
    : { value: ms };
}

const DURATION = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/;

/** xsd:duration in ms; without years and months, whose length depends on when. */
export function durationOf(value: unknown): number | undefined {
  const found = typeof value === 'string' ? DURATION.exec(value) : null;
  if (found === null || value === 'P' || value === 'PT') return undefined;
  const [, days = 0, hours = 0, minutes = 0, seconds = 0] = found;
  return (((Number(days) * 24 + Number(hours)) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000;
}

/** A natural-language value: the plain property, or the first of its map of languages (section 4.7). */
export function wordsOf(document: Document, name: string, charsMax: number): string | undefined {
  const plain = document[name];
  const map = document[`${name}Map`];
  const text =
    typeof plain === 'string'
      ? plain
      : isDocument(map)
        ? Object.values(map).find((one) => typeof one === 'string')
        : undefined;
  const words = typeof text === 'string' ? text.trim().slice(0, charsMax) : '';
  return words === '' ? undefined : words;
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: ' ' };

/** `content` is HTML by default (section 4.4): what a person reads of it. Never shown as markup. */
export function plainText(html: string): string {
  return html
    .replaceAll(/<(script|style)\b[^>]*>[\s\S]*?(?:<\/\1\s*>|$)/gi, ' ')
    .replaceAll(/<[^>]*(?:>|$)/g, ' ')
    .replaceAll(/&(#x[0-9a-f]{1,6}|#\d{1,7}|[a-z]{2,6});/gi, (whole, name: string) => {
      if (!name.startsWith('#')) return ENTITIES[name.toLowerCase()] ?? whole;
      const code = name[1] === 'x' || name[1] === 'X' ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1));
      return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : ' ';
    })
    .replaceAll(/\s+/g, ' ')
    .trim();
}
