/**
 * Owns the comparison of groups by a yes/no outcome: selection rates, true and false positive rates.
 *
 * Definitions follow fairlearn (demographic parity, equalised odds, equal opportunity) and AIF360 (SPD, AOD,
 * disparate impact), and golden files hold them to those packages. A group without members, positives or
 * negatives has no such rate and is left out; with fewer than two rates the figure is not estimable.
 * All functions are linear in the number of groups.
 */
import { type Estimate, estimated, MINIMUM_CELL, notEstimable } from './estimate.ts';

/** Counts of one group. May be fractional (weights of a bootstrap replicate). */
export interface GroupCell {
  readonly group: string;
  readonly n: number;
  /** Of n: predicted, recommended, served. */
  readonly selected: number;
  /** Of n: relevant, deserving. */
  readonly positives: number;
  readonly truePositives: number;
  readonly falsePositives: number;
}

export interface CellOptions {
  /** Smaller groups are left out. Default 10. */
  readonly minimumCell?: number;
}

/** Counts cells from parallel arrays; groups in order of first appearance. `groups[i]` null is left out. */
export function countCells(
  predicted: ArrayLike<number>,
  actual: ArrayLike<number>,
  groups: readonly (string | null)[],
): GroupCell[] {
  const cells = new Map<string, { -readonly [Field in keyof GroupCell]: GroupCell[Field] }>();
  groups.forEach((group, at) => {
    if (group === null) return;
    let cell = cells.get(group);
    if (cell === undefined) {
      cell = { group, n: 0, selected: 0, positives: 0, truePositives: 0, falsePositives: 0 };
      cells.set(group, cell);
    }
    const [yes, right] = [predicted[at]! > 0 ? 1 : 0, actual[at]! > 0 ? 1 : 0];
    cell.n++;
    cell.selected += yes;
    cell.positives += right;
    cell.truePositives += yes * right;
    cell.falsePositives += yes * (1 - right);
  });
  return [...cells.values()];
}

type Rate = 'selection' | 'truePositive' | 'falsePositive';

const FRACTIONS: Record<Rate, (cell: GroupCell) => readonly [part: number, whole: number]> = {
  selection: (cell) => [cell.selected, cell.n],
  truePositive: (cell) => [cell.truePositives, cell.positives],
  falsePositive: (cell) => [cell.falsePositives, cell.n - cell.positives],
};

interface GroupRate {
  readonly group: string;
  readonly rate: number;
  readonly part: number;
  readonly whole: number;
}

/** Rates of the groups whose denominator reaches the minimum cell (and is above 0). */
export function groupRates(cells: readonly GroupCell[], which: Rate, options: CellOptions = {}): GroupRate[] {
  const { minimumCell = MINIMUM_CELL } = options;
  return cells.flatMap((cell) => {
    const [part, whole] = FRACTIONS[which](cell);
    if (whole <= 0 || whole < minimumCell) return [];
    return [{ group: cell.group, rate: part / whole, part, whole }];
  });
}

function wholes(cells: readonly GroupCell[], which: Rate): Record<string, number> {
  return Object.fromEntries(cells.map((cell) => [cell.group, FRACTIONS[which](cell)[1]]));
}

function spread(cells: readonly GroupCell[], which: Rate, options: CellOptions): Estimate {
  const rates = groupRates(cells, which, options).map(({ rate }) => rate);
  const n = wholes(cells, which);
  if (rates.length < 2) return notEstimable('fewer than two groups are large enough', n);
  return estimated(Math.max(...rates) - Math.min(...rates), n);
}

/** Demographic parity difference: highest minus lowest selection rate, in [0, 1]; 0 is parity. (fairlearn) */
export function demographicParityDifference(cells: readonly GroupCell[], options: CellOptions = {}): Estimate {
  return spread(cells, 'selection', options);
}

/** Demographic parity ratio: lowest over highest selection rate, in [0, 1]; 1 is parity. Not estimable when all rates are 0. (fairlearn) */
export function demographicParityRatio(cells: readonly GroupCell[], options: CellOptions = {}): Estimate {
  const rates = groupRates(cells, 'selection', options).map(({ rate }) => rate);
  const n = wholes(cells, 'selection');
  if (rates.length < 2) return notEstimable('fewer than two groups are large enough', n);
  if (Math.max(...rates) === 0) return notEstimable('nobody was selected in any group', n);
  return estimated(Math.min(...rates) / Math.max(...rates), n);
}

/** Equal opportunity difference: highest minus lowest true positive rate, in [0, 1]. (Hardt, Price, Srebro, NeurIPS 2016) */
export function equalOpportunityDifference(cells: readonly GroupCell[], options: CellOptions = {}): Estimate {
  return spread(cells, 'truePositive', options);
}

/** Equalised odds difference: the worst case (maximum) or the mean of the spreads of true and false positive rates, in [0, 1]. (fairlearn) */
export function equalisedOddsDifference(
  cells: readonly GroupCell[],
  options: CellOptions & { readonly combine?: 'worst_case' | 'mean' } = {},
): Estimate {
  const [tpr, fpr] = [spread(cells, 'truePositive', options), spread(cells, 'falsePositive', options)];
  const n: Record<string, number> = {};
  for (const cell of cells) {
    n[`${cell.group}: positives`] = cell.positives;
    n[`${cell.group}: negatives`] = cell.n - cell.positives;
  }
  if (!tpr.estimable) return notEstimable(`true positive rates: ${tpr.reason}`, n);
  if (!fpr.estimable) return notEstimable(`false positive rates: ${fpr.reason}`, n);
  const both = [tpr.value, fpr.value];
  return estimated(options.combine === 'mean' ? (both[0]! + both[1]!) / 2 : Math.max(...both), n);
}

/** rate(group) - rate(reference), or the reason why not. */
function against(
  cells: readonly GroupCell[],
  which: Rate,
  pair: Comparison,
): { readonly own: number; readonly other: number; readonly n: Record<string, number> } | Estimate {
  const involved = cells.filter(({ group }) => group === pair.group || group === pair.reference);
  const n = wholes(involved, which);
  const rates = groupRates(involved, which, pair);
  const own = rates.find(({ group }) => group === pair.group);
  const other = rates.find(({ group }) => group === pair.reference);
  if (own === undefined) return notEstimable(`group ${pair.group} is too small`, n);
  if (other === undefined) return notEstimable(`group ${pair.reference} is too small`, n);
  return { own: own.rate, other: other.rate, n };
}

/** An unprivileged group and the privileged one that it is compared with. */
export interface Comparison extends CellOptions {
  readonly group: string;
  readonly reference: string;
}

/** Statistical parity difference: selection rate of the group minus the reference's, in [-1, 1]; below 0 the group gets less. (AIF360) */
export function statisticalParityDifference(cells: readonly GroupCell[], pair: Comparison): Estimate {
  const rates = against(cells, 'selection', pair);
  return 'own' in rates ? estimated(rates.own - rates.other, rates.n) : rates;
}

/** Average odds difference: mean of the differences (group minus reference) of true and false positive rates, in [-1, 1]. (AIF360) */
export function averageOddsDifference(cells: readonly GroupCell[], pair: Comparison): Estimate {
  const tpr = against(cells, 'truePositive', pair);
  const fpr = against(cells, 'falsePositive', pair);
  if (!('own' in tpr)) return tpr;
  if (!('own' in fpr)) return fpr;
  return estimated((tpr.own - tpr.other + fpr.own - fpr.other) / 2, tpr.n);
}

/** Disparate impact: selection rate of the group over the reference's, >= 0; 1 is parity. Not estimable when the reference's rate is 0. (AIF360) */
export function disparateImpact(cells: readonly GroupCell[], pair: Comparison): Estimate {
  const rates = against(cells, 'selection', pair);
  if (!('own' in rates)) return rates;
  if (rates.other === 0) return notEstimable(`nobody was selected in group ${pair.reference}`, rates.n);
  return estimated(rates.own / rates.other, rates.n);
}
