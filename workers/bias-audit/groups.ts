/** Owns the groups that an audit compares: people by an attribute of their envelopes, items by topic. Nothing else of an envelope is kept. */
import type { Person } from '../../shared/contract-kit/event.ts';
import { KEY_BYTES } from '../../shared/numerics/types.ts';
import type { RunContext } from '../runtime/processor.ts';

/** Envelopes, or items, opened at once. */
const READ_AT_ONCE = 1_000;
/** Fewer people of one label are put together: a rare label may be as good as a name. */
const LABELLED_MIN = 5;
/** Of more labels the largest are kept: an attribute with a value for everybody is no group. */
const LABELS_MAX = 50;
export const UNKNOWN = 'unknown';
export const RARE = 'rare labels together';
/** Topics of fewer items say nothing; of many topics the largest are kept. */
const TOPIC_ITEMS_MIN = 5;
const TOPICS_MAX = 40;

const keysOf = (keys: Uint8Array, from: number, to: number): Uint8Array[] =>
  Array.from({ length: to - from }, (_, n) =>
    Uint8Array.from(keys.subarray((from + n) * KEY_BYTES, (from + n + 1) * KEY_BYTES)),
  );

function labelOf(person: Person | undefined, attribute: string): string {
  if (person === undefined) return UNKNOWN;
  const own = attribute === 'gender' ? person.gender : attribute === 'ageGroup' ? person.ageGroup : undefined;
  return String(own ?? person.attributes?.[attribute] ?? UNKNOWN);
}

/** For each attribute a label for every person, in order. */
export async function groupPeople(
  userKeys: Uint8Array,
  attributes: readonly string[],
  { store, tenant, signal }: RunContext,
): Promise<Record<string, string[]>> {
  const labels = Object.fromEntries(attributes.map((attribute) => [attribute, [] as string[]]));
  const people = userKeys.length / KEY_BYTES;
  for (let from = 0; from < people; from += READ_AT_ONCE) {
    signal.throwIfAborted();
    const keys = keysOf(userKeys, from, Math.min(people, from + READ_AT_ONCE));
    const opened = await store.people.open(tenant, keys);
    for (const key of keys) {
      const person = opened.get(Buffer.from(key).toString('hex'));
      for (const attribute of attributes) labels[attribute]!.push(labelOf(person, attribute));
    }
  }
  return Object.fromEntries(Object.entries(labels).map(([attribute, own]) => [attribute, withoutRare(own)]));
}

function withoutRare(labels: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  const named = [...counts]
    .filter(([label, people]) => label !== UNKNOWN && people >= LABELLED_MIN)
    .sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))
    .slice(0, LABELS_MAX);
  const kept = new Set([UNKNOWN, ...named.map(([label]) => label)]);
  return labels.map((label) => (kept.has(label) ? label : RARE));
}

/** Items of each topic, by place in `itemKeys`; the largest topics. */
export async function groupItems(
  itemKeys: Uint8Array,
  { store, tenant, signal }: RunContext,
): Promise<Record<string, Int32Array>> {
  const topics = new Map<string, number[]>();
  const items = itemKeys.length / KEY_BYTES;
  for (let from = 0; from < items; from += READ_AT_ONCE) {
    signal.throwIfAborted();
    const keys = keysOf(itemKeys, from, Math.min(items, from + READ_AT_ONCE));
    const found = await store.items.read(tenant, keys);
    for (const [n, key] of keys.entries())
      for (const topic of new Set(found.get(Buffer.from(key).toString('hex'))?.topics)) {
        const own = topics.get(topic) ?? [];
        own.push(from + n);
        topics.set(topic, own);
      }
  }
  const largest = [...topics]
    .filter(([, own]) => own.length >= TOPIC_ITEMS_MIN)
    .sort(([a, x], [b, y]) => y.length - x.length || (a < b ? -1 : 1))
    .slice(0, TOPICS_MAX);
  return Object.fromEntries(largest.map(([topic, own]) => [topic, Int32Array.from(own)]));
}
