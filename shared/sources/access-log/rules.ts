/**
 * Owns which requests of a log mean something: rules of an operator, tried in order. A path like `/watch/:item` names what is where;
 * query parameters are named the same way (`?u=:user`). What no rule matches is passed over: images, probes, bots' guesses.
 */
import { z } from 'zod';
import { EVENT_TYPES } from '../../contract-kit/event-fields.ts';
import type { LoggedRequest } from './line.ts';

const NAMED = ['item', 'user', 'target', 'session', 'text'] as const;
type Named = (typeof NAMED)[number];
const PLACE = /^:([a-z]+)$/;
const isNamed = (name: string | undefined): name is Named => NAMED.some((known) => known === name);

const patternSchema = z
  .string()
  .max(500)
  .regex(/^\//, 'must start with /')
  .refine(
    (pattern) => {
      const [path = '', query = ''] = pattern.split('?');
      const places = [...path.split('/'), ...query.split('&').map((pair) => pair.split('=')[1] ?? '')];
      return places.every((place) => !place.startsWith(':') || isNamed(PLACE.exec(place)?.[1]));
    },
    `names may be ${NAMED.map((name) => `:${name}`).join(', ')}`,
  );

export const logRulesSchema = z
  .array(
    z.strictObject({
      path: patternSchema,
      type: z.enum(EVENT_TYPES),
      /** Value of the events, as their type wants it: 100 for a view. */
      value: z.number().optional(),
      method: z
        .string()
        .regex(/^[A-Z]+$/)
        .default('GET'),
    }),
  )
  .min(1)
  .max(1_000);
export type LogRules = z.output<typeof logRulesSchema>;

interface Rule {
  readonly segments: readonly string[];
  readonly query: readonly (readonly [string, string])[];
  readonly fields: { readonly type: string; readonly value?: number };
  readonly method: string;
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}

function ruleOf({ path, type, value, method }: LogRules[number]): Rule {
  const [segments = '', query = ''] = path.split('?');
  const pairs = query === '' ? [] : query.split('&').map((pair) => pair.split('='));
  return {
    segments: segments.split('/'),
    query: pairs.map(([name = '', place = '']) => [name, place] as const),
    fields: { type, ...(value === undefined ? {} : { value }) },
    method,
  };
}

/** Takes `text` as what `place` says: a name gets it, anything else must be equal. */
function take(found: Record<string, unknown>, place: string, text: string | undefined): boolean {
  if (text === undefined) return false;
  const name = PLACE.exec(place)?.[1];
  if (name === undefined) return place === text;
  if (text === '') return false;
  found[name] = text;
  return true;
}

function matched(rule: Rule, segments: readonly string[], query: URLSearchParams): Record<string, unknown> | undefined {
  if (segments.length !== rule.segments.length) return undefined;
  const found: Record<string, unknown> = { ...rule.fields };
  const isPath = rule.segments.every((place, n) => take(found, place, decoded(segments[n]!)));
  return isPath && rule.query.every(([name, place]) => take(found, place, query.get(name) ?? undefined))
    ? found
    : undefined;
}

/** Fields of the event that a request means, or undefined. Only answered requests count: 2xx and 3xx. */
export function ruleMatcher(rules: LogRules): (request: LoggedRequest) => Record<string, unknown> | undefined {
  const all = rules.map(ruleOf);
  return ({ method, target, status }) => {
    if (status < 200 || status >= 400) return undefined;
    const at = target.indexOf('?');
    const segments = (at < 0 ? target : target.slice(0, at)).split('/');
    const query = new URLSearchParams(at < 0 ? '' : target.slice(at + 1));
    for (const rule of all) {
      if (rule.method !== method) continue;
      const found = matched(rule, segments, query);
      if (found !== undefined) return found;
    }
    return undefined;
  };
}
