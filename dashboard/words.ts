/** Owns how numbers, times, names and failures read on the dashboard's pages. Pure; knows no page. */
import { ERROR_CODES, type ErrorCodeName } from '../shared/errors.ts';

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

const counts = new Intl.NumberFormat('en');
export const count = (value: number): string => counts.format(value);

/** `1 person`, `2,000 people`. */
export const countOf = (value: number, one: string, many: string): string =>
  `${count(value)} ${value === 1 ? one : many}`;

export const percent = (share: number): string => `${(share * 100).toFixed(share < 0.1 && share > 0 ? 1 : 0)} %`;

/** A metric without false precision; null is `not estimable`, never 0. */
export const figure = (value: number | null): string =>
  value === null ? 'not estimable' : Number.isInteger(value) ? count(value) : value.toFixed(3);

/** A span of time: `340 ms`, `2.4 s`, `3 min 12 s`, `5 h 10 min`, `4 d 2 h`. */
export function span(ms: number): string {
  const length = Math.max(0, ms);
  if (length < SECOND_MS) return `${Math.round(length)} ms`;
  if (length < 10 * SECOND_MS) return `${(length / SECOND_MS).toFixed(1)} s`;
  const [big, small, bigMs, smallMs] = unitsOf(length);
  if (small === undefined || smallMs === undefined) return `${Math.round(length / bigMs)} ${big}`;
  const rest = Math.floor((length % bigMs) / smallMs);
  return `${Math.floor(length / bigMs)} ${big}${rest === 0 ? '' : ` ${rest} ${small}`}`;
}

function unitsOf(ms: number): [string, string | undefined, number, number | undefined] {
  if (ms < MINUTE_MS) return ['s', undefined, SECOND_MS, undefined];
  if (ms < HOUR_MS) return ['min', 's', MINUTE_MS, SECOND_MS];
  if (ms < DAY_MS) return ['h', 'min', HOUR_MS, MINUTE_MS];
  return ['d', 'h', DAY_MS, HOUR_MS];
}

/** `just now`, `4 min ago`, `in 3 h`: the coarsest unit that says it. */
export function relative(atMs: number, nowMs: number): string {
  const distance = Math.abs(nowMs - atMs);
  if (distance < 5 * SECOND_MS) return 'just now';
  const words = coarse(distance);
  return atMs > nowMs ? `in ${words}` : `${words} ago`;
}

function coarse(ms: number): string {
  if (ms < MINUTE_MS) return `${Math.floor(ms / SECOND_MS)} s`;
  if (ms < HOUR_MS) return `${Math.floor(ms / MINUTE_MS)} min`;
  if (ms < DAY_MS) return `${Math.floor(ms / HOUR_MS)} h`;
  return `${Math.floor(ms / DAY_MS)} d`;
}

/** `2026-11-22 10:34:33 UTC`. */
export const moment = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`;

const ID_LENGTH_SHOWN = 32;
const HASH_LENGTH_SHOWN = 8;

/** The part of a long id that a person can compare at a glance: its last part, with hashes cut to eight digits. */
export function shortId(id: string): string {
  const last = id.slice(id.lastIndexOf('.') + 1);
  const cut = last.replace(/[0-9a-f]{12,}/g, (hash) => `${hash.slice(0, HASH_LENGTH_SHOWN)}…`);
  return cut.length > ID_LENGTH_SHOWN ? `${cut.slice(0, ID_LENGTH_SHOWN - 1)}…` : cut;
}

const PERIODS: readonly (readonly [ms: number, word: string])[] = [
  [HOUR_MS, 'every hour'],
  [DAY_MS, 'every day'],
  [7 * DAY_MS, 'every week'],
];

/** What a list of coming ticks amounts to: `every day at 03:00 (Asia/Kolkata)`, or the next two where they follow no simple rhythm. */
export function rhythm(ticks: readonly number[], timeZone: string): string {
  const clock = new Intl.DateTimeFormat('en-GB', { timeZone, hour: '2-digit', minute: '2-digit' });
  const day = new Intl.DateTimeFormat('en-GB', { timeZone, weekday: 'short', hour: '2-digit', minute: '2-digit' });
  const gaps = new Set(ticks.slice(1).map((tick, index) => tick - (ticks[index] ?? 0)));
  const [gap] = gaps;
  const period = gaps.size === 1 ? PERIODS.find(([ms]) => ms === gap) : undefined;
  const [first] = ticks;
  if (first === undefined) return '';
  const at =
    period?.[0] === HOUR_MS ? `:${clock.format(first).slice(3)}` : (period?.[0] === DAY_MS ? clock : day).format(first);
  if (period !== undefined) return `${period[1]} at ${at} ${timeZone}`;
  return `${ticks
    .slice(0, 2)
    .map((tick) => day.format(tick))
    .join(', then ')} ${timeZone}`;
}

/** `ageGroup` -> `age group`, `bias-audit` -> `bias audit`. */
export const spaced = (name: string): string =>
  name
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .replace(/[-_.]/g, ' ')
    .toLowerCase();

export interface Failure {
  readonly code: string;
  readonly message: string;
}

/** A coded failure in two sentences: what happened and what to do. The message of an AppError carries both; the code is shown apart. */
export function explain(failure: Failure): { readonly what: string; readonly todo: string | undefined } {
  const entry = Object.hasOwn(ERROR_CODES, failure.code) ? ERROR_CODES[failure.code as ErrorCodeName] : undefined;
  let what = failure.message.replace(new RegExp(`^${failure.code}:\\s*`), '');
  if (entry !== undefined && what.endsWith(entry.todo)) what = what.slice(0, -entry.todo.length).trim();
  return { what: what === '' ? (entry?.what ?? failure.code) : what, todo: entry?.todo };
}
