/** Secure sums between parties with stores of their own: what comes out, what no party sees, who drops out, and what is refused. */
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { addShares, combineSums, SUM_PRIME, type SumScheme, splitForSum } from '../../contract-kit/secure-sum.ts';
import { toAppError } from '../../errors.ts';
import { type TestServices, testServices } from '../../../test/services.ts';
import { agreedOn, SumParty } from './party.ts';

const ADDITIVE = { parties: 2, threshold: 2 };
const SHAMIR = { parties: 4, threshold: 3 };
let stores: TestServices[];
beforeAll(async () => {
  stores = await Promise.all([testServices(), testServices()]);
});
afterAll(async () => {
  for (const store of stores) await store[Symbol.asyncDispose]();
});

/** What comes of it: a value, or the code of the refusal. */
function resultOf(work: () => bigint): unknown {
  try {
    return work();
  } catch (thrown) {
    return toAppError(thrown).code;
  }
}

let rounds = 0;
/** Parties of a round: two have a store of their own each, others a tenant there. */
async function partiesOf(
  scheme: SumScheme,
  series: string,
  cohortMin = 3,
): Promise<{ round: string; parties: SumParty[] }> {
  const round = `round-${rounds++}`;
  const parties = Array.from({ length: scheme.parties }, (_, n) => new SumParty(stores[n % 2]!.store, `party-${n}`));
  for (const [n, party] of parties.entries())
    await party.open({ round, series, ...scheme, party: n + 1, most: 1_000, cohortMin, openedAt: rounds });
  return { round, parties };
}
type Round = Awaited<ReturnType<typeof partiesOf>>;

async function give(
  { round, parties }: Round,
  values: Readonly<Record<string, number>>,
  scheme: SumScheme,
): Promise<void> {
  for (const [who, value] of Object.entries(values)) {
    const shares = splitForSum(value, 1_000, scheme);
    for (const [n, party] of parties.entries()) await party.give(round, who, shares[n]!);
  }
}
const agreed = async ({ round, parties }: Round) =>
  agreedOn(await Promise.all(parties.map((one) => one.contributors(round))));
const VALUES = { ann: 7, bob: 0, cleo: 1_000, dan: 12 };

test.each([
  ['additive shares', ADDITIVE],
  ['Shamir’s shares', SHAMIR],
])('with %s the parties’ sums give the sum, and no party’s do by themselves', async (name, scheme) => {
  const round = await partiesOf(scheme, name);
  await give(round, VALUES, scheme);
  const people = await agreed(round);
  expect(people).toEqual(['ann', 'bob', 'cleo', 'dan']);
  const sums = await Promise.all(round.parties.map((party) => party.add(round.round, people)));
  expect(combineSums(sums, scheme)).toBe(1_019n);
  for (const { sum } of sums) expect(sum).not.toBe(1_019n);
  // A party that drops out is missed by n-of-n, and not by k-of-n.
  const isEnough = sums.length > scheme.threshold;
  expect(resultOf(() => combineSums(sums.slice(1), scheme))).toBe(isEnough ? 1_019n : 'SUM_INCOMPLETE');
});

test('who reached only some of the parties is left out of the agreed set', async () => {
  const round = await partiesOf(ADDITIVE, 'dropouts');
  await give(round, VALUES, ADDITIVE);
  await round.parties[0]!.give(round.round, 'eve', 5n);
  const people = await agreed(round);
  expect(people).not.toContain('eve');
  const sums = await Promise.all(round.parties.map((party) => party.add(round.round, people)));
  expect(combineSums(sums, ADDITIVE)).toBe(1_019n);
  await expect(round.parties[1]!.add(round.round, [...people, 'eve'])).rejects.toMatchObject({
    code: 'SUM_INCOMPLETE',
  });
});

test('one person has one share a round, and a round adds up one set of people', async () => {
  const round = await partiesOf(ADDITIVE, 'once');
  await give(round, VALUES, ADDITIVE);
  const [party] = round.parties;
  await expect(party!.give(round.round, 'ann', 1n)).rejects.toMatchObject({ code: 'SUM_DUPLICATE' });
  const people = await agreed(round);
  await expect(party!.add(round.round, [...people, 'ann'])).rejects.toMatchObject({ code: 'SUM_DUPLICATE' });
  const first = await party!.add(round.round, people);
  expect(await party!.add(round.round, people.toReversed())).toEqual(first);
  await expect(party!.add(round.round, people.slice(1))).rejects.toMatchObject({ code: 'SUM_CLOSED' });
  await expect(party!.give(round.round, 'fay', 1n)).rejects.toMatchObject({ code: 'SUM_CLOSED' });
});

test('refuses few people, and sets of a series that differ by few', async () => {
  const first = await partiesOf(ADDITIVE, 'overlaps');
  await give(first, VALUES, ADDITIVE);
  await expect(first.parties[0]!.add(first.round, ['ann', 'bob'])).rejects.toMatchObject({ code: 'COHORT_TOO_SMALL' });
  await first.parties[0]!.add(first.round, await agreed(first));
  const second = await partiesOf(ADDITIVE, 'overlaps');
  await give(second, { ...VALUES, eve: 1, fay: 2, gus: 3 }, ADDITIVE);
  const [party] = second.parties;
  const fewer = ['ann', 'bob', 'cleo'];
  await expect(party!.add(second.round, fewer)).rejects.toMatchObject({
    code: 'COHORT_OVERLAPS',
    details: { round: first.round },
  });
  // Refused, not fixed: others may still be agreed on.
  expect((await party!.add(second.round, await agreed(second))).people).toBe(7);
});

test('a party that was cut off between fixing a set and looking at the others looks when it is asked again', async () => {
  const first = await partiesOf(ADDITIVE, 'cut-off');
  await give(first, VALUES, ADDITIVE);
  const told = await first.parties[0]!.add(first.round, await agreed(first));
  const second = await partiesOf(ADDITIVE, 'cut-off');
  await give(second, VALUES, ADDITIVE);
  const fewer = ['ann', 'bob', 'cleo'];
  await stores[0]!.store.sums.fix('party-0', second.round, fewer);
  // What was told before is not taken back for it.
  expect(await first.parties[0]!.add(first.round, await agreed(first))).toEqual(told);
  await expect(second.parties[0]!.add(second.round, fewer)).rejects.toMatchObject({ code: 'COHORT_OVERLAPS' });
  expect((await second.parties[0]!.add(second.round, await agreed(second))).people).toBe(4);
});

test('refuses rounds, values and shares that cannot be', async () => {
  const { round, parties } = await partiesOf(ADDITIVE, 'bad');
  const [party] = parties;
  await expect(party!.give('none', 'ann', 1n)).rejects.toMatchObject({ code: 'SUM_ROUND_UNKNOWN' });
  await expect(party!.give(round, 'ann', SUM_PRIME)).rejects.toMatchObject({ code: 'INPUT_INVALID' });
  const terms = { series: 'bad', ...ADDITIVE, party: 1, most: 1_000, cohortMin: 3, openedAt: 0 };
  await expect(party!.open({ ...terms, round, most: 5 })).rejects.toMatchObject({ code: 'SUM_ROUND_CONFLICT' });
  await expect(party!.open({ ...terms, round: 'big', most: 2 ** 50 })).rejects.toMatchObject({ code: 'INPUT_INVALID' });
  await expect(party!.open({ ...terms, round: 'lone', parties: 1, threshold: 1 })).rejects.toMatchObject({
    code: 'INPUT_INVALID',
  });
  for (const value of [-1, 1_001, 0.5, Number.NaN])
    expect(() => splitForSum(value, 1_000, ADDITIVE)).toThrow(expect.objectContaining({ code: 'INPUT_INVALID' }));
});

test('whatever the values and the scheme, any enough parties find the sum, and a wrong one among more is noticed', () => {
  const scheme = fc
    .record({ parties: fc.integer({ min: 2, max: 6 }), threshold: fc.integer({ min: 2, max: 6 }) })
    .filter(({ parties, threshold }) => threshold <= parties);
  const values = fc.array(fc.integer({ min: 0, max: 1_000 }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(scheme, values, fc.nat(), (of, all, from) => {
      const split = all.map((value) => splitForSum(value, 1_000, of));
      const sums = Array.from({ length: of.parties }, (_, n) => ({
        party: n + 1,
        sum: addShares(split.map((own) => own[n]!)),
      }));
      const total = BigInt(all.reduce((sum, value) => sum + value, 0));
      const start = of.threshold === of.parties ? 0 : from % (of.parties - of.threshold + 1);
      expect(combineSums(sums.slice(start, start + of.threshold), of)).toBe(total);
      expect(combineSums(sums, of)).toBe(total);
      if (of.threshold === of.parties) return;
      const wrong = sums.map((one, n) => (n === 0 ? { ...one, sum: (one.sum + 1n) % SUM_PRIME } : one));
      expect(() => combineSums(wrong, of)).toThrow(expect.objectContaining({ code: 'INPUT_INVALID' }));
    }),
  );
});

test('fewer shares than are needed are as likely under any value', () => {
  // One share of two, and two of three needed: in cells of equal size, whatever the value is.
  for (const [scheme, held] of [
    [ADDITIVE, 0],
    [ADDITIVE, 1],
    [SHAMIR, 2],
  ] as const)
    for (const value of [0, 1_000]) {
      const seen = new Float64Array(8);
      for (let n = 0; n < 4_000; n++) seen[Number((splitForSum(value, 1_000, scheme)[held]! * 8n) / SUM_PRIME)]! += 1;
      // Five standard deviations: once in a million runs of right shares.
      for (const count of seen) expect(Math.abs(count - 500)).toBeLessThan(5.5 * Math.sqrt(500 * 0.875));
    }
});
