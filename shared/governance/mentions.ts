/** Owns whether a value that nobody has a schema for names a person. */

/** Nothing that is sent lies deeper. */
const DEPTH_MAX = 32;

/** Whether a value, or anything inside it, is the person's id; a number is compared as it is written. */
export function mentions(value: unknown, externalId: string, depth = 0): boolean {
  if (typeof value === 'string' || typeof value === 'number') return String(value) === externalId;
  if (typeof value !== 'object' || value === null || depth > DEPTH_MAX) return false;
  return Object.values(value).some((inside) => mentions(inside, externalId, depth + 1));
}
