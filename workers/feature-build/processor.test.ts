/** Behaviour features: equal to their slow definition, and honest about what has no value. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nameAt } from '../../shared/numerics/interactions/interactions.reference.ts';
import { FEATURES } from './feature-list.ts';
import { acts, build, differences, ITEMS, settings } from './features-fixture.ts';
import { type PlainAct, referenceFeatures } from './features.reference.ts';

describe('features', () => {
  test('equal their slow definition, and leave out what is the same for everybody', async () => {
    await fc.assert(
      fc.asyncProperty(acts, settings, async (events, given) => {
        const built = await build('behaviour', events, given);
        const expected = referenceFeatures(events, ITEMS, given);
        expect(built?.rows ?? 0).toBe(expected.size);
        if (built === undefined) return;
        const rows = Array.from({ length: built.rows }, (_, row) => nameAt(built.subjects, row));
        expect(rows).toEqual([...expected.keys()].sort());
        expect(differences('behaviour', built, expected)).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });

  test('say no value, not 0, where there is nothing to average', async () => {
    const base = { source: 'web', device: 'phone', session: '', item: 'a' };
    const events: PlainAct[] = [
      { ...base, user: 'ann', type: 'click', value: undefined, at: 1, recordedAt: 1 },
      { ...base, user: 'bob', type: 'view', value: 40, at: 2, recordedAt: 2 },
      { ...base, user: 'cleo', type: 'view', value: 80, at: 3, recordedAt: 3 },
    ];
    const built = await build('behaviour', events, { asOf: 10, halfLifeDays: 30, allows: () => true });
    const at = built!.kept.indexOf(FEATURES.indexOf('viewPercent'));
    const column = [0, 1, 2].map((row) => built!.matrix[row * built!.kept.length + at]!);
    expect(column).toEqual([Number.NaN, 40, 80]);
  });
});
