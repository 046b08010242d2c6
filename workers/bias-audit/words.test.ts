import { describe, expect, test } from 'vitest';
import { type AuditEntry, auditEntries } from './findings.ts';
import { sentenceOf } from './words.ts';

const entry = (more: Partial<AuditEntry>): AuditEntry => ({
  metric: 'recall',
  attribute: null,
  value: 0.25,
  flagged: false,
  basis: 'holdout',
  groups: [],
  ...more,
});
const group = (name: string, value: number | null) => ({ group: name, n: 30, value, interval: null });

describe('sentences of an audit', () => {
  test('name what was judged, in percent where that is what it is', () => {
    expect(sentenceOf(entry({}))).toBe('Lists hold 25 % of what was held out from training.');
    expect(sentenceOf(entry({ basis: 'published' }))).toBe('Lists hold 25 % of what people took up afterwards.');
    expect(sentenceOf(entry({ metric: 'deltaGap', value: -0.05 }))).toBe(
      'Shown items are 5.0 % less popular than what the same people like.',
    );
  });

  test('name the ends of a difference between groups, and leave out groups without a figure', () => {
    const groups = [group('F', 0.3), group('M', 0.28), group('X', null)];
    const said = sentenceOf(entry({ metric: 'recallDifference', attribute: 'gender', value: 0.02, groups }));
    expect(said).toBe(
      'Share of wanted items that lists hold, by gender: lowest M 28 %, highest F 30 %, difference 2.0 %.',
    );
  });

  test('say when to look closer, and why there is no figure', () => {
    expect(sentenceOf(entry({ metric: 'longTailShare', value: 0.02, flagged: true }))).toMatch(
      /long tail.*look closer/,
    );
    expect(sentenceOf(entry({ value: null, reason: 'nobody was served' }))).toBe('Not estimable: nobody was served.');
  });

  test('exist for every headline figure', () => {
    const estimable = { estimable: true, value: 0.5, n: { people: 40 }, interval: null } as const;
    const names = ['recall', 'ndcg', 'theil', 'averagePopularity', 'longTailShare', 'deltaGap', 'coverage', 'gini'];
    const across = ['demographicParityDifference', 'demographicParityRatio', 'equalOpportunityDifference'];
    const rest = ['equalisedOddsDifference', 'recallDifference', 'ndcgDifference', 'deltaGapDifference'];
    const all = [...across, ...rest, 'calibrationDifference'];
    const published = {
      overall: Object.fromEntries([...names, 'equityOfAttention'].map((name) => [name, estimable])),
      attributes: [
        {
          attribute: 'gender',
          groups: [],
          metrics: Object.fromEntries(all.map((name) => [name, estimable])),
          fourFifths: { flagged: false },
        },
      ],
      itemGroups: [],
    };
    const entries = auditEntries({ published: published as never, holdout: undefined });
    expect(entries).toHaveLength(names.length + 1 + all.length);
    for (const one of entries) expect(one.says).not.toContain(one.metric);
  });
});
