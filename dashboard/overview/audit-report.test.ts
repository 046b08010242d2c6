/** Facts about reading an audit's report for showing. */
import { describe, expect, it } from 'vitest';
import { auditFigures } from './audit-report.ts';

const GROUPS = [
  { group: 'a', n: 10, value: 0.2, interval: [0.1, 0.3] },
  { group: 'b', n: 3, value: null, interval: null },
];

describe('an audit report', () => {
  it('gives each group its cell count and interval, then the difference with its flag', () => {
    const report = {
      metrics: [{ metric: 'recallDifference', attribute: 'gender', value: 0.1, n: 13, flagged: true, groups: GROUPS }],
    };
    const [section] = auditFigures(report, []);
    expect(section).toMatchObject({ metric: 'recallDifference', attribute: 'gender', onHoldout: false });
    expect(section?.figures).toMatchObject([
      { group: 'a', n: 10, value: 0.2, low: 0.1, high: 0.3, flagged: false, unit: { min: 0, max: 0.3 } },
      { group: 'b', n: 3, value: null, low: undefined },
      { group: 'difference', n: 13, value: 0.1, flagged: true },
    ]);
  });

  it('that is unknown or absent is replaced by the headline findings', () => {
    const findings = [{ metric: 'gini', attribute: null, value: null, flagged: true }];
    for (const report of [undefined, { something: 'else' }, 'text'])
      expect(auditFigures(report, findings)).toMatchObject([
        { metric: 'gini', attribute: undefined, figures: [{ group: undefined, value: null, flagged: true }] },
      ]);
  });

  it('takes a flag from the findings where an entry has none of its own', () => {
    const findings = [{ metric: 'gini', attribute: null, value: 0.9, flagged: true }];
    const [section] = auditFigures([{ metric: 'gini', attribute: null, value: 0.9 }], findings);
    expect(section?.figures).toMatchObject([{ flagged: true }]);
  });
});
