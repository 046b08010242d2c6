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

const SOURCES = ['*', 'web', 'app'];
const change: fc.Arbitrary<ConsentChange> = fc.record({
  subject: fc.integer({ min: 1, max: 3 }).map(person),
  purposes: fc.subarray([...PURPOSES], { minLength: 1 }),
  source: fc.constantFrom(...SOURCES),
  withdrawn: fc.boolean(),
  basis: fc.constantFrom(...CONSENT_BASES),
  at: fc.nat(5),
});

/**
 * The rule in words, over the whole history: the person's latest word about the source or about all; a withdrawal wins a tie.
 * Who said nothing is under the licence of the data set, unless it was withdrawn.
 */
function rule(
  changes: readonly ConsentChange[],
  subject: Uint8Array,
  purpose: (typeof PURPOSES)[number],
  source: string,
): boolean {
  const about = changes.filter(
    (said) => said.subject[0] === subject[0] && said.purposes.includes(purpose) && ['*', source].includes(said.source),
  );
  const own = about.filter(({ basis }) => basis !== 'dataset-licence');
  if (own.length === 0) return about.length > 0 && about.every((licence) => !licence.withdrawn);
  const latest = Math.max(...own.map(({ at }) => at));
  return own.filter(({ at }) => at === latest).every((said) => !said.withdrawn);
}

describe('what people have said', () => {
  it('allows nothing to who never said anything', () => {
    expect(new ConsentState(hexOf).allows(person(1), 'audit', 'web')).toBe(false);
  });

  it('covers one purpose only', () => {
    expect(stateOf([given('*', 1)]).allows(person(1), 'recommendation', 'web')).toBe(false);
  });

  it('lets somebody opt out of one source and keep the others', () => {
    const state = stateOf([given('*', 1), withdrawn('web', 2)]);
    expect([state.allows(person(1), 'audit', 'web'), state.allows(person(1), 'audit', 'app')]).toEqual([false, true]);
  });

  it('does not let a consent that arrives late undo a later withdrawal', () => {
    expect(stateOf([withdrawn('*', 5), given('*', 4)]).allows(person(1), 'audit', 'web')).toBe(false);
  });

  it('lets no licence of a data set override what somebody said themselves, whatever the times', () => {
    for (const at of [0, 9]) {
      expect(stateOf([licensed('web', at)]).allows(person(1), 'audit', 'web')).toBe(true);
      expect(stateOf([withdrawn('*', 5), licensed('web', at)]).allows(person(1), 'audit', 'web')).toBe(false);
      const ended = { ...licensed('web', at), withdrawn: true };
      expect(stateOf([given('*', 5), ended]).allows(person(1), 'audit', 'web')).toBe(true);
    }
  });

  it('keeps a licence that was withdrawn so, until the person speaks', () => {
    const state = stateOf([{ ...licensed('web', 1), withdrawn: true }, licensed('web', 9)]);
    expect(state.allows(person(1), 'audit', 'web')).toBe(false);
    state.apply(given('web', 2));
    expect(state.allows(person(1), 'audit', 'web')).toBe(true);
  });

  it('follows the rule, in any order of arrival, applied once or twice', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 12 }), fc.nat(1000), (changes, turn) => {
        const cut = changes.length === 0 ? 0 : turn % changes.length;
        const state = stateOf([...changes.slice(cut), ...changes.slice(0, cut), ...changes]);
        for (const subject of [1, 2, 3].map(person))
          for (const purpose of PURPOSES)
            for (const source of SOURCES)
              expect(state.allows(subject, purpose, source)).toBe(rule(changes, subject, purpose, source));
      }),
    );
  });

  it('stays as it is in a copy', () => {
    const before = stateOf([given('*', 1)]);
    const after = before.copy();
    after.apply(withdrawn('*', 2));
    after.apply({ ...given('app', 3), subject: person(9) });
    expect([before.allows(person(1), 'audit', 'web'), after.allows(person(1), 'audit', 'web')]).toEqual([true, false]);
    expect([before.people, after.people]).toEqual([1, 2]);
  });
});
