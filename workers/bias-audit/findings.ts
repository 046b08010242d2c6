/**
 * Owns what an audit says first: headline figures, and when one is flagged. Quality is judged by what people took up after the lists were
 * made, where anybody did; else by the model's own holdout. Popularity is that of the published lists wherever it can be estimated there. Every figure
 * names its basis.
 */
import type { AttributeAudit, AuditReport, Estimate } from '../../shared/contract-kit/audit-report.ts';
import { sentenceOf } from './words.ts';

export const BASES = ['published', 'holdout'] as const;
export type Basis = (typeof BASES)[number];

export interface AuditEntry {
  readonly metric: string;
  readonly attribute: string | null;
  /** Null: not estimable, see `reason`. */
  readonly value: number | null;
  readonly reason?: string;
  readonly n?: number;
  readonly interval?: readonly [number, number];
  readonly flagged: boolean;
  /** The figure in words. */
  readonly says?: string;
  /** What was judged: the published lists, or those of the same model trained without the holdout. */
  readonly basis: Basis;
  readonly groups: readonly {
    readonly group: string;
    readonly n: number;
    readonly value: number | null;
    readonly interval: readonly [number, number] | null;
  }[];
}

interface Rule {
  readonly quality: boolean;
  /** The figure of each group beside a figure across groups. */
  readonly ofGroup?: string;
  /** Flagged beyond it: with an interval, when the whole interval lies beyond. Absent: never by itself. */
  readonly above?: number;
  readonly below?: number;
}

/** Thresholds are screens to look closer, not verdicts. */
const OVERALL: Readonly<Record<string, Rule>> = {
  recall: { quality: true },
  ndcg: { quality: true },
  theil: { quality: true },
  averagePopularity: { quality: false },
  longTailShare: { quality: false, below: 0.05 },
  deltaGap: { quality: false, above: 1 },
  coverage: { quality: false, below: 0.05 },
  gini: { quality: false, above: 0.95 },
  equityOfAttention: { quality: true },
};
const ACROSS: Readonly<Record<string, Rule>> = {
  demographicParityDifference: { quality: true, ofGroup: 'servedRate', above: 0.1 },
  demographicParityRatio: { quality: true, ofGroup: 'servedRate' },
  equalOpportunityDifference: { quality: true, ofGroup: 'recall', above: 0.1 },
  equalisedOddsDifference: { quality: true, above: 0.1 },
  recallDifference: { quality: true, ofGroup: 'recall', above: 0.1 },
  ndcgDifference: { quality: true, ofGroup: 'ndcg', above: 0.1 },
  deltaGapDifference: { quality: false, ofGroup: 'deltaGap', above: 0.5 },
  calibrationDifference: { quality: false, ofGroup: 'calibrationDivergence', above: 0.5 },
};

const intervalOf = (estimate: Estimate): readonly [number, number] | undefined =>
  estimate.estimable && estimate.interval !== null ? [estimate.interval.low, estimate.interval.high] : undefined;

function isBeyond(estimate: Estimate, { above, below }: Rule): boolean {
  if (!estimate.estimable) return false;
  const { value } = estimate;
  // Bootstraps of a largest difference lean upwards: the figure itself must lie beyond as well as its interval.
  const [low, high] = intervalOf(estimate) ?? [value, value];
  return (
    (above !== undefined && Math.min(low, value) > above) || (below !== undefined && Math.max(high, value) < below)
  );
}

function entryOf(
  metric: string,
  attribute: string | null,
  estimate: Estimate,
  more: Pick<AuditEntry, 'basis' | 'flagged' | 'groups'>,
): AuditEntry {
  const interval = intervalOf(estimate);
  const counts = Object.values(estimate.n);
  return {
    metric,
    attribute,
    value: estimate.estimable ? estimate.value : null,
    ...(estimate.estimable ? {} : { reason: estimate.reason }),
    ...(counts.length > 0 ? { n: counts.reduce((a, b) => a + b, 0) } : {}),
    ...(interval === undefined ? {} : { interval }),
    ...more,
  };
}

function groupFigures(audit: AttributeAudit, metric: string | undefined): AuditEntry['groups'] {
  if (metric === undefined) return [];
  return audit.groups.map(({ group, people, metrics }) => {
    const estimate = metrics[metric];
    if (estimate === undefined || !estimate.estimable) return { group, n: people, value: null, interval: null };
    return {
      group,
      n: Math.max(...Object.values(estimate.n)),
      value: estimate.value,
      interval: intervalOf(estimate) ?? null,
    };
  });
}

export interface Reports {
  readonly published: AuditReport;
  readonly holdout: AuditReport | undefined;
}

interface Chosen {
  readonly report: AuditReport;
  readonly basis: Basis;
}

/** All entries, everybody's first. */
export function auditEntries({ published, holdout }: Reports): AuditEntry[] {
  const onPublished: Chosen = { report: published, basis: 'published' };
  const onHoldout: Chosen[] = holdout === undefined ? [] : [{ report: holdout, basis: 'holdout' }];
  /** Published lists can be judged when somebody took something up after them. */
  const judged = published.overall['recall']?.estimable === true;
  const bases = (quality: boolean): readonly Chosen[] =>
    quality && !judged ? [...onHoldout, onPublished] : [onPublished, ...onHoldout];
  const entries: AuditEntry[] = [];
  for (const [metric, rule] of Object.entries(OVERALL)) {
    const { report, basis } = firstEstimable(bases(rule.quality), ({ report }) => report.overall[metric]);
    const estimate = report.overall[metric];
    if (estimate === undefined) continue;
    entries.push(entryOf(metric, null, estimate, { basis, flagged: isBeyond(estimate, rule), groups: [] }));
  }
  for (const { attribute } of published.attributes)
    for (const [metric, rule] of Object.entries(ACROSS)) {
      const auditIn = ({ report }: Chosen) => report.attributes.find((other) => other.attribute === attribute);
      const chosen = firstEstimable(bases(rule.quality), (from) => auditIn(from)?.metrics[metric]);
      const audit = auditIn(chosen);
      const estimate = audit?.metrics[metric];
      if (audit === undefined || estimate === undefined) continue;
      const flagged = metric === 'demographicParityRatio' ? audit.fourFifths.flagged : isBeyond(estimate, rule);
      const groups = groupFigures(audit, rule.ofGroup);
      entries.push(entryOf(metric, attribute, estimate, { basis: chosen.basis, flagged, groups }));
    }
  return [...entries, ...topicEntries(published)].map((entry) => Object.assign(entry, { says: sentenceOf(entry) }));
}

/** The first basis on which the figure can be estimated, else the first. */
function firstEstimable(bases: readonly Chosen[], figure: (chosen: Chosen) => Estimate | undefined): Chosen {
  return bases.find((chosen) => figure(chosen)?.estimable === true) ?? bases[0]!;
}

/** Share of exposure of each topic's items over their share of the catalogue: 1 is parity. The headline is the lowest over the highest. */
function topicEntries({ itemGroups, items: catalogue }: AuditReport): AuditEntry[] {
  if (itemGroups.length === 0) return [];
  const groups = itemGroups.map(({ group, items, metrics }) => {
    const share = metrics['exposureShare'];
    if (share === undefined || !share.estimable) return { group, n: items, value: null, interval: null };
    const parity = items / catalogue;
    const interval = intervalOf(share);
    const scaled = interval === undefined ? null : ([interval[0] / parity, interval[1] / parity] as const);
    return { group, n: items, value: share.value / parity, interval: scaled };
  });
  const values = groups.flatMap(({ value }) => value ?? []);
  const highest = Math.max(...values);
  const value = values.length < 2 || highest === 0 ? null : Math.min(...values) / highest;
  const why = value === null ? { reason: 'fewer than two topics can be compared' } : {};
  const entry = { metric: 'exposureRatio', attribute: 'topic', value, ...why, n: itemGroups.length };
  return [{ ...entry, flagged: false, basis: 'published', groups }];
}
