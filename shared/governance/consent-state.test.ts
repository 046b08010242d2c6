import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CONSENT_BASES, PURPOSES } from '../contract-kit/purposes.ts';
import { type ConsentChange, ConsentState } from './consent-state.ts';
import { hexOf } from './keys.ts';

const person = (n: number): Uint8Array => new Uint8Array(16).fill(n);
const stateOf = (changes: readonly ConsentChange[]): ConsentState => {
  const state = new ConsentState(hexOf);
  for (const change of changes) state.apply(change);
  return state;
};
const given = (source: string, at: number): ConsentChange => ({
  subject: person(1),
  purposes: ['audit'],
  source,
  withdrawn: false,
  basis: 'consent',
  at,
});
const licensed = (source: string, at: number): ConsentChange => ({ ...given(source, at), basis: 'dataset-licence' });
const withdrawn = (source: string, at: number): ConsentChange => ({ ...given(source, at), withdrawn: true });

const NOW = 10;
const SOURCES = ['*', 'web', 'app'];
const change: fc.Arbitrary<ConsentChange> = fc.record(
  {
    subject: fc.integer({ min: 1, max: 3 }).map(person),
    purposes: fc.subarray([...PURPOSES], { minLength: 1 }),
    source: fc.constantFrom(...SOURCES),
    withdrawn: fc.boolean(),
    basis: fc.constantFrom(...CONSENT_BASES),
    at: fc.nat(5),
    until: fc.integer({ min: 6, max: 9 }),
  },
  { requiredKeys: ['subject', 'purposes', 'source', 'withdrawn', 'basis', 'at'] },
);

/**
 * The rule in words, over the whole history: the person's latest word about the source or about all; a withdrawal wins a tie.
 * Who said nothing is under the licence of the data set, unless it was withdrawn. A consent that has an end is none from then on; where
 * several of one source and moment end, the first end holds; one word of the source and one about all at the same moment are as good as each other.
 */
function rule(
  changes: readonly ConsentChange[],
  subject: Uint8Array,
  purpose: (typeof PURPOSES)[number],
  source: string,
  now: number,
): boolean {
  const about = changes.filter(
    (said) => said.subject[0] === subject[0] && said.purposes.includes(purpose) && ['*', source].includes(said.source),
  );
  const own = about.filter(({ basis }) => basis !== 'dataset-licence');
  const latest = Math.max(...own.map(({ at }) => at));
  const last = own.length === 0 ? about : own.filter(({ at }) => at === latest);
  if (last.length === 0 || last.some((said) => said.withdrawn)) return false;
  return SOURCES.some((name) => {
    const words = last.filter((said) => said.source === name);
    return words.length > 0 && words.every(({ until = Infinity }) => until > now);
  });
}

describe('what people have said', () => {
  it('allows nothing to who never said anything', () => {
    expect(new ConsentState(hexOf).allows(person(1), 'audit', 'web', NOW)).toBe(false);
  });

  it('covers one purpose only', () => {
    expect(stateOf([given('*', 1)]).allows(person(1), 'recommendation', 'web', NOW)).toBe(false);
  });

  it('lets somebody opt out of one source and keep the others', () => {
    const state = stateOf([given('*', 1), withdrawn('web', 2)]);
    expect([state.allows(person(1), 'audit', 'web', NOW), state.allows(person(1), 'audit', 'app', NOW)]).toEqual([
      false,
      true,
    ]);
  });

  it('does not let a consent that arrives late undo a later withdrawal', () => {
    expect(stateOf([withdrawn('*', 5), given('*', 4)]).allows(person(1), 'audit', 'web', NOW)).toBe(false);
  });

  it('lets no licence of a data set override what somebody said themselves, whatever the times', () => {
    for (const at of [0, 9]) {
      expect(stateOf([licensed('web', at)]).allows(person(1), 'audit', 'web', NOW)).toBe(true);
      expect(stateOf([withdrawn('*', 5), licensed('web', at)]).allows(person(1), 'audit', 'web', NOW)).toBe(false);
      const ended = { ...licensed('web', at), withdrawn: true };
      expect(stateOf([given('*', 5), ended]).allows(person(1), 'audit', 'web', NOW)).toBe(true);
    }
  });

  it('keeps a licence that was withdrawn so, until the person speaks', () => {
    const state = stateOf([{ ...licensed('web', 1), withdrawn: true }, licensed('web', 9)]);
    expect(state.allows(person(1), 'audit', 'web', NOW)).toBe(false);
    state.apply(given('web', 2));
    expect(state.allows(person(1), 'audit', 'web', NOW)).toBe(true);
  });

  it('follows the rule, in any order of arrival, applied once or twice', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 12 }), fc.nat(1000), (changes, turn) => {
        const cut = changes.length === 0 ? 0 : turn % changes.length;
        const state = stateOf([...changes.slice(cut), ...changes.slice(0, cut), ...changes]);
        for (const subject of [1, 2, 3].map(person))
          for (const purpose of PURPOSES)
            for (const source of SOURCES)
              for (const now of [5, 6, 8, 9])
                expect(state.allows(subject, purpose, source, now)).toBe(rule(changes, subject, purpose, source, now));
      }),
    );
  });

  it('stays as it is in a copy', () => {
    const before = stateOf([given('*', 1)]);
    const after = before.copy();
    after.apply(withdrawn('*', 2));
    after.apply({ ...given('app', 3), subject: person(9) });
    expect([before.allows(person(1), 'audit', 'web', NOW), after.allows(person(1), 'audit', 'web', NOW)]).toEqual([
      true,
      false,
    ]);
    expect([before.people, after.people]).toEqual([1, 2]);
  });

  it('ends a consent by the clock of whoever asks, and says so', () => {
    const state = stateOf([{ ...given('*', 1), until: 5 }]);
    const standing = [4, 5].map((now) => [
      state.allows(person(1), 'audit', 'web', now),
      state.hasEnded(person(1), 'audit', 'web', now),
    ]);
    expect(standing).toEqual([
      [true, false],
      [false, true],
    ]);
    expect(state.hasEnded(person(1), 'recommendation', 'web', 5)).toBe(false);
    state.apply(given('*', 6));
    expect(state.allows(person(1), 'audit', 'web', 7)).toBe(true);
  });

  it('lists whose consent ended between two moments, once, unless it was given anew', () => {
    const state = stateOf([
      { ...given('*', 1), until: 5 },
      { ...given('web', 1), until: 6 },
      { ...given('*', 1), subject: person(2), until: 5 },
      { ...given('*', 2), subject: person(2) },
      { ...given('*', 1), subject: person(3), until: 9 },
    ]);
    const ended = (since: number, now: number) => state.endedBetween(since, now, ['audit']).map(([first]) => first);
    expect([ended(0, 4), ended(0, 6), ended(6, 8), ended(6, 9)]).toEqual([[], [1], [], [3]]);
    expect(state.endedBetween(0, 9, ['segmentation'])).toEqual([]);
  });

  it('knows about which sources somebody was heard', () => {
    const state = stateOf([given('*', 1), withdrawn('web', 2)]);
    expect(state.sourcesOf(person(1)).toSorted()).toEqual(['*', 'web']);
    expect(state.sourcesOf(person(2))).toEqual([]);
  });
});
