/** What was known earlier: as told by keeping every record there ever was. */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { knownAt, replaced, type Since } from './past.ts';

test('is what the newest record up to that moment said, as long as few facts have changed', () => {
  const records = fc.array(
    fc.record({ since: fc.integer({ min: 0, max: 30 }), facts: fc.constantFrom('a', 'b', 'c') }),
    {
      minLength: 1,
      maxLength: 15,
    },
  );
  fc.assert(
    fc.property(records, fc.integer({ min: -1, max: 31 }), (drawn, asOf) => {
      const all = drawn.toSorted((a, b) => a.since - b.since);
      const [first, ...later] = all;
      let kept: { now: Since<string>; past: readonly Since<string>[] } = { now: first!, past: [] };
      for (const next of later) {
        const { since, past } = replaced(kept.now, kept.past, next);
        kept = { now: { since, facts: next.facts }, past };
      }
      expect(knownAt(kept.now, kept.past, asOf)).toBe(all.findLast(({ since }) => since <= asOf)?.facts);
    }),
  );
});
