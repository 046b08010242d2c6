/** Features as they were known: what is read as of t is what the newest version up to t held, and nothing made or recorded for later moments changes it. */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { featuresOfView, VIEWS } from '../numerics/features/registry.ts';
import { type FeatureStore, featuresAsOf, viewHistory } from './feature-history.ts';
import type { DatasetVersion } from './ports.ts';

const PEOPLE = ['ann', 'bob', 'cleo'];
const NAMES = featuresOfView('engagement');

const keyOf = (name: string): Uint8Array => {
  const key = new Uint8Array(16);
  key.set(new TextEncoder().encode(name));
  return key;
};
const keysOf = (names: readonly string[]): Uint8Array => Buffer.concat(names.map(keyOf));

/** What was made for a moment: the people's first feature; who is not in it had done nothing. */
interface Made {
  readonly asOf: number;
  readonly createdAt: number;
  readonly values: Readonly<Record<string, number>>;
  readonly view?: string;
  readonly viewVersion?: number;
  readonly state?: DatasetVersion['state'];
}

function storeOf(made: readonly Made[], withdrawn: readonly string[] = []): FeatureStore {
  const versions = made.map((one, n) => ({
    version: `features-${n}`,
    asOf: one.asOf,
    createdAt: one.createdAt,
    state: one.state ?? 'ready',
    meta: { view: one.view ?? 'engagement', viewVersion: one.viewVersion ?? VIEWS.engagement.version, features: NAMES },
    blocks: [one.values],
  }));
  return {
    versions: {
      latest: async () => versions.toSorted((a, b) => b.createdAt - a.createdAt) as unknown as DatasetVersion[],
      arrays: async (_tenant, { blocks }) => {
        const values = Object.entries(blocks[0] as Made['values']);
        const matrix = new Float32Array(values.length * NAMES.length);
        values.forEach(([, value], row) => (matrix[row * NAMES.length] = value));
        return new Map<string, Uint8Array | Float32Array>([
          ['subjects', keysOf(values.map(([name]) => name))],
          ['matrix', matrix],
        ]);
      },
    },
    consents: { withdrawnSince: async () => ({ epoch: 1, subjects: withdrawn.map(keyOf) }) },
  };
}

const made = fc.array(
  fc.record({
    asOf: fc.integer({ min: 0, max: 20 }),
    createdAt: fc.integer({ min: 0, max: 1_000 }),
    values: fc.dictionary(fc.constantFrom(...PEOPLE), fc.integer({ min: 1, max: 99 })),
  }),
  { maxLength: 12 },
);
const asked = fc.array(fc.record({ user: fc.constantFrom(...PEOPLE), at: fc.integer({ min: -2, max: 22 }) }), {
  minLength: 1,
  maxLength: 10,
});

async function read(store: FeatureStore, rows: readonly { user: string; at: number }[]) {
  const moments = { subjects: keysOf(rows.map(({ user }) => user)), at: Float64Array.from(rows, ({ at }) => at) };
  const { matrix, knownAt } = await featuresAsOf(store, 'main', 'engagement', moments);
  return rows.map((_, row) => ({ value: matrix[row * NAMES.length]!, knownAt: knownAt[row]! }));
}

test('each row gets what its own moment knew, as told one by one', async () => {
  await fc.assert(
    fc.asyncProperty(made, asked, async (versions, rows) => {
      const got = await read(storeOf(versions), rows);
      const expected = rows.map(({ user, at }) => {
        const up = versions.filter(({ asOf }) => asOf <= at);
        const newest = Math.max(...up.map(({ asOf }) => asOf));
        const last = Math.max(...up.filter(({ asOf }) => asOf === newest).map(({ createdAt }) => createdAt));
        const choices = up.filter(({ asOf, createdAt }) => asOf === newest && createdAt === last);
        const nothing = { value: Number.NaN, knownAt: Number.NaN };
        if (choices.length === 0) return [nothing];
        // Two that were made at once for one moment: either may be read.
        return choices.map(({ values }) => (user in values ? { value: values[user], knownAt: newest } : nothing));
      });
      for (const [n, row] of got.entries()) expect(expected[n]).toContainEqual(row);
    }),
  );
});

test('what is made for a later moment changes nothing that is read as of an earlier one', async () => {
  await fc.assert(
    fc.asyncProperty(made, asked, fc.integer({ min: 0, max: 20 }), async (versions, rows, t) => {
      const then = rows.map(({ user, at }) => ({ user, at: Math.min(at, t) }));
      const distinct = [...new Map(versions.map((one) => [`${one.asOf} ${one.createdAt}`, one])).values()];
      const known = distinct.filter(({ asOf }) => asOf <= t);
      expect(await read(storeOf(distinct), then)).toEqual(await read(storeOf(known), then));
    }),
  );
});

test('who has withdrawn since is not read, nor an erased version, one of another view, or of another meaning', async () => {
  const values = { ann: 1, bob: 2 };
  const whole: Made = { asOf: 5, createdAt: 1, values };
  const rows = [
    { user: 'ann', at: 9 },
    { user: 'bob', at: 9 },
  ];
  expect(await read(storeOf([whole], ['bob']), rows)).toEqual([
    { value: 1, knownAt: 5 },
    { value: Number.NaN, knownAt: Number.NaN },
  ]);
  const others: Made[] = [
    { ...whole, state: 'erased' },
    { ...whole, view: 'context' },
    { ...whole, viewVersion: VIEWS.engagement.version + 1 },
  ];
  expect(await viewHistory(storeOf(others), 'main', 'engagement')).toEqual([]);
});
