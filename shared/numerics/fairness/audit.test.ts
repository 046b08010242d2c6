import { expect, test } from 'vitest';
import { computePool } from '../../compute/pool.ts';
import { auditReportSchema, type AuditReport, type Estimate } from '../../contract-kit/audit-report.ts';
import { randomStream } from '../../random.ts';
import { fromTriples } from '../sparse.ts';
import { KEY_BYTES } from '../types.ts';
import { AUDIT_TASK, type AuditInput, auditRecommendations } from './audit.ts';
import { generalisedEntropy, theil } from './inequality.ts';
import { averageLongTailShare, averageRecommendationPopularity, longTail } from './popularity-bias.ts';

const ITEMS = 60;
const K = 5;

/**
 * People by number. Everybody likes three items; women's lists hold none of them, every second man's list holds one. Two
 * people have an attribute of their own, every tenth has none.
 */
function world(numbers: readonly number[]): AuditInput {
  const [users, seen, wantedBy, wanted]: number[][] = [[], [], [], []];
  const lists: number[] = [];
  const userKeys = new Uint8Array(numbers.length * KEY_BYTES);
  numbers.forEach((number, row) => {
    new DataView(userKeys.buffer).setUint32(row * KEY_BYTES + 12, number);
    const stream = randomStream(5, 'test.audit', number);
    const shuffled = Array.from({ length: ITEMS }, (_, item) => item);
    for (let n = 0; n < 15; n++) {
      const other = n + stream.below(ITEMS - n);
      [shuffled[n], shuffled[other]] = [shuffled[other]!, shuffled[n]!];
    }
    seen!.push(...shuffled.slice(0, 4));
    users!.push(row, row, row, row);
    wanted!.push(...shuffled.slice(4, 7));
    wantedBy!.push(row, row, row);
    const served = number % 2 === 1 && number % 4 === 1;
    lists.push(served ? shuffled[4]! : shuffled[7]!, ...shuffled.slice(8, 8 + K - 1));
  });
  const ones = (ids: number[]) => ids.map(() => 1);
  const profiles = fromTriples(numbers.length, ITEMS, users!, seen!, ones(seen!));
  const itemPopularity = new Float64Array(ITEMS);
  for (const item of profiles.indices) itemPopularity[item]!++;
  return {
    lists: Int32Array.from(lists),
    k: K,
    groups: {
      gender: numbers.map((number) => (number % 10 === 9 ? null : number % 2 === 1 ? 'M' : 'F')),
      club: numbers.map((number) => (number < 2 ? 'tiny' : 'rest')),
    },
    itemPopularity,
    profiles,
    relevant: fromTriples(numbers.length, ITEMS, wantedBy!, wanted!, ones(wanted!)),
    itemGroups: { first: Int32Array.from({ length: 30 }, (_, n) => n), few: Int32Array.of(1, 2, 3) },
    userKeys,
    seed: 11,
    bootstrap: 400,
  };
}

const EVERYBODY = Array.from({ length: 400 }, (_, n) => n);

function estimated(estimate: Estimate | undefined): Estimate & { estimable: true } {
  if (estimate?.estimable !== true) throw new Error(`not estimable: ${JSON.stringify(estimate)}`);
  return estimate;
}

function attribute(report: AuditReport, name: string): AuditReport['attributes'][number] {
  return report.attributes.find((one) => one.attribute === name)!;
}

test('finds who is not served, with counts and an interval, and flags it', () => {
  const report = auditRecommendations(world(EVERYBODY));
  const gender = attribute(report, 'gender');
  const men = EVERYBODY.filter((number) => number % 2 === 1 && number % 10 !== 9);
  const servedMen = men.filter((number) => number % 4 === 1).length / men.length;
  expect(gender.unlabelled).toBe(40);
  expect(gender.groups.map(({ group, people }) => [group, people])).toEqual([
    ['F', 200],
    ['M', men.length],
  ]);
  expect(gender.reference).toBe('F');
  const difference = estimated(gender.metrics['demographicParityDifference']);
  expect(difference.value).toBeCloseTo(servedMen, 12);
  expect(difference.n).toEqual({ F: 200, M: men.length });
  expect(difference.interval!.low).toBeLessThan(servedMen);
  expect(difference.interval!.high).toBeGreaterThan(servedMen);
  expect(difference.interval!.high - difference.interval!.low).toBeLessThan(0.25);
  const male = gender.groups[1]!.metrics;
  expect(estimated(male['statisticalParityDifference']).value).toBeCloseTo(servedMen, 12);
  expect(male['disparateImpact']).toMatchObject({ estimable: false, reason: 'nobody was selected in group F' });
  expect(gender.fourFifths).toMatchObject({ below: true, flagged: true, lowest: 'F', highest: 'M' });
});

test('the width of an interval is that of the binomial it estimates', () => {
  const report = auditRecommendations({ ...world(EVERYBODY), bootstrap: 2000 });
  const { value, interval } = estimated(report.overall['servedRate']);
  const expected = 2 * 1.96 * Math.sqrt((value * (1 - value)) / EVERYBODY.length);
  expect((interval!.high - interval!.low) / expected).toBeGreaterThan(0.85);
  expect((interval!.high - interval!.low) / expected).toBeLessThan(1.15);
});

test('a group under the minimum cell is counted and not judged', () => {
  const club = attribute(auditRecommendations(world(EVERYBODY)), 'club');
  const tiny = club.groups.find(({ group }) => group === 'tiny')!;
  expect(tiny).toMatchObject({ people: 2, largeEnough: false });
  for (const estimate of Object.values(tiny.metrics)) expect(estimate.estimable).toBe(false);
  for (const estimate of Object.values(club.metrics)) expect(estimate.estimable).toBe(false);
  expect(club.fourFifths).toMatchObject({ below: null, flagged: false });
});

test('groups of items have their share of exposure; small ones are counted only', () => {
  const input = world(EVERYBODY);
  const { itemGroups } = auditRecommendations(input);
  const [first, few] = itemGroups;
  const weights = [1, 2, 3, 4, 5].map((place) => 1 / Math.log2(1 + place));
  const sums = [...input.lists].map((item, at) => [item < 30 ? weights[at % K]! : 0, weights[at % K]!]);
  const share = sums.reduce((sum, [own]) => sum + own!, 0) / sums.reduce((sum, [, all]) => sum + all!, 0);
  expect(estimated(first!.metrics['exposureShare']).value).toBeCloseTo(share, 9);
  expect(few).toMatchObject({ items: 3, metrics: { exposureShare: { estimable: false, n: { items: 3 } } } });
});

test('figures summed over people equal the definitions applied to the whole', () => {
  const input = world(EVERYBODY);
  const { overall } = auditRecommendations(input);
  const lists = { items: input.lists, k: K };
  const value = (name: string) => estimated(overall[name]).value;
  expect(value('averagePopularity')).toBeCloseTo(
    estimated(averageRecommendationPopularity(lists, input.itemPopularity)).value,
    9,
  );
  const tail = longTail(input.itemPopularity);
  expect(value('longTailShare')).toBeCloseTo(estimated(averageLongTailShare(lists, tail)).value, 9);
  const { indptr, indices } = input.relevant;
  const recalls = EVERYBODY.map((_, user) => {
    const wanted = indices.subarray(indptr[user], indptr[user + 1]);
    return (
      wanted.filter((item) => input.lists.subarray(user * K, (user + 1) * K).includes(item)).length / wanted.length
    );
  });
  expect(value('theil')).toBeCloseTo(estimated(theil(recalls)).value, 9);
  expect(value('generalisedEntropy')).toBeCloseTo(estimated(generalisedEntropy(recalls, 2)).value, 9);
});

test('the report survives JSON and its schema, and holds no NaN', () => {
  const report = auditRecommendations(world(EVERYBODY));
  expect(auditReportSchema.parse(JSON.parse(JSON.stringify(report)))).toEqual(report);
});

test('nobody with relevant items: quality is not estimable, popularity still is', () => {
  const input = world(EVERYBODY.slice(0, 50));
  const report = auditRecommendations({ ...input, relevant: fromTriples(50, ITEMS, [], [], []) });
  const { overall } = report;
  const gender = attribute(report, 'gender').metrics;
  expect(gender['recallDifference']).toMatchObject({ estimable: false });
  expect(estimated(gender['deltaGapDifference']).value).toBeGreaterThanOrEqual(0);
  for (const name of ['servedRate', 'recall', 'ndcg', 'theil', 'equityOfAttention']) {
    expect(overall[name]).toMatchObject({ estimable: false });
  }
  expect(estimated(overall['averagePopularity']).value).toBeGreaterThan(0);
});

test('without bootstrap replicates figures stand alone', () => {
  const report = auditRecommendations({ ...world(EVERYBODY), bootstrap: 0 });
  expect(estimated(report.overall['ndcg']).interval).toBeNull();
});

test('the order of people does not change a figure or an interval, for weights follow their keys', () => {
  const [one, two] = [EVERYBODY, EVERYBODY.toReversed()].map((numbers) => auditRecommendations(world(numbers)));
  const figures = (report: AuditReport) =>
    Object.values({ ...report.overall, ...attribute(report, 'gender').metrics }).flatMap((estimate) =>
      estimate.estimable ? [estimate.value, estimate.interval?.low ?? 0, estimate.interval?.high ?? 0] : [],
    );
  const [before, after] = [figures(one!), figures(two!)];
  expect(before.length).toBeGreaterThan(40);
  expect(after).toHaveLength(before.length);
  before.forEach((number, at) => expect(after[at]).toBeCloseTo(number, 9));
});

test('runs as a task in a thread and says the same', async () => {
  await using pool = computePool({ threads: 1 });
  const input = world(EVERYBODY.slice(0, 100));
  const [report] = await pool.runPhase<AuditReport>([{ module: AUDIT_TASK, name: 'audit', payload: input }]);
  expect(report).toEqual(auditRecommendations(input));
});
