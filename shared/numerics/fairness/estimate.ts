/** Owns the making of estimates: a figure with its cell counts, or the reason why there is none. */
import type { Estimate } from '../../contract-kit/audit-report.ts';

export type { Estimate } from '../../contract-kit/audit-report.ts';
export type CellCounts = Readonly<Record<string, number>>;

/** Groups of fewer members are counted and not judged, unless a caller says otherwise. */
export const MINIMUM_CELL = 10;

export function estimated(value: number, n: CellCounts): Estimate {
  if (!Number.isFinite(value)) return notEstimable('the figure is not finite', n);
  return { estimable: true, value, n, interval: null };
}

export function notEstimable(reason: string, n: CellCounts): Estimate {
  return { estimable: false, reason, n };
}

/** numerator / denominator, not estimable when the denominator is 0; `denominatorName` says what is missing. */
export function ratioOf(numerator: number, denominator: number, n: CellCounts, denominatorName: string): Estimate {
  if (denominator === 0) return notEstimable(`no ${denominatorName}`, n);
  return estimated(numerator / denominator, n);
}

/** The value where there is one; for replicates, whose reasons nobody reads. */
export function valueOf(estimate: Estimate): number | null {
  return estimate.estimable ? estimate.value : null;
}
