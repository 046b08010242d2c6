/** Owns the grammar of a line of an access log: NCSA common format, and Apache's and nginx's combined format. */
import type { DEVICES } from '../../contract-kit/event-fields.ts';

export interface LoggedRequest {
  /** The authenticated user; undefined for `-`. */
  readonly user?: string;
  readonly atMs: number;
  readonly method: string;
  /** Path and query as they were asked for. */
  readonly target: string;
  readonly status: number;
  readonly agent?: string;
}

/** host ident user [time] "request" status bytes, and in combined format "referer" "agent"; what follows is left alone. */
const LINE =
  /^\S+ \S+ (.+?) \[([^\]]{1,40})\] "((?:[^"\\]|\\.)*)" (\d{3}) (?:\d+|-)(?: "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)")?(?: .*)?$/;
const TIME = /^(\d{2})\/([A-Z][a-z]{2})\/(\d{4}):(\d{2}):(\d{2}):(\d{2}) ([+-])(\d{2})(\d{2})$/;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

function timeOf(text: string): number | undefined {
  const found = TIME.exec(text);
  if (found === null) return undefined;
  const [, day, name, year, hour, minute, second, sign, hours, minutes] = found;
  const month = MONTHS.indexOf(name!);
  const ms = Date.UTC(Number(year), month, Number(day), Number(hour), Number(minute), Number(second));
  if (month < 0 || new Date(ms).getUTCDate() !== Number(day)) return undefined;
  const offsetMs = (Number(hours) * 60 + Number(minutes)) * 60_000;
  return sign === '+' ? ms - offsetMs : ms + offsetMs;
}

/** Apache writes `\"` and `\xhh`, nginx `\xHH`. */
const unescaped = (text: string): string =>
  text.replaceAll(/\\(?:x([0-9A-Fa-f]{2})|(.))/g, (_, hex: string | undefined, other: string | undefined) =>
    hex === undefined ? (other ?? '') : String.fromCodePoint(Number.parseInt(hex, 16)),
  );

/** The request of a line, or why it is none. A request that the server could not read (`"-"`, bytes of TLS) has no target. */
export function readLogLine(line: string): LoggedRequest | { readonly reason: string } | undefined {
  const found = LINE.exec(line);
  if (found === null) return { reason: 'is no line of the common or the combined format' };
  const [, user, time, request, status, , agent] = found;
  const atMs = timeOf(time!);
  if (atMs === undefined) return { reason: 'has no time like 10/Oct/2025:13:55:36 +0200' };
  const asked = /^([A-Z]+) (\S+)(?: HTTP\/\d(?:\.\d)?)?$/.exec(unescaped(request!));
  if (asked === null) return undefined;
  return {
    ...(user === '-' ? {} : { user: unescaped(user!) }),
    atMs,
    method: asked[1]!,
    target: asked[2]!,
    status: Number(status),
    ...(agent === undefined || agent === '-' ? {} : { agent: unescaped(agent) }),
  };
}

const AGENTS: readonly (readonly [RegExp, (typeof DEVICES)[number]])[] = [
  [/smart-?tv|appletv|googletv|bravia|hbbtv|roku|crkey/i, 'tv'],
  [/ipad|tablet|kindle|silk|android(?!.*mobile)/i, 'tablet'],
  [/iphone|ipod|mobile|android/i, 'phone'],
  [/windows|macintosh|x11|cros/i, 'desktop'],
];

/** The kind of device that an agent says it is. Coarse on purpose: the text itself is not kept. */
export function deviceOf(agent: string | undefined): (typeof DEVICES)[number] {
  if (agent === undefined) return 'unknown';
  return AGENTS.find(([pattern]) => pattern.test(agent))?.[1] ?? 'other';
}
