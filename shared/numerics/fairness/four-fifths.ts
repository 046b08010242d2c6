/**
 * Owns the four-fifths rule (EEOC Uniform Guidelines 1978, 29 CFR 1607.4 D): a lowest selection rate under 0.8 of the
 * highest is a reason to look. It is a screen: with small groups it fires by chance, so a test stands beside it.
 */
import type { FourFifths } from '../../contract-kit/audit-report.ts';
import { type CellOptions, demographicParityRatio, type GroupCell, groupRates } from './group-rates.ts';
import { testTwoRates } from './significance.ts';

const FOUR_FIFTHS = 0.8;
const SIGNIFICANT = 0.05;

/** Screens the groups that are large enough. Cells must be whole counts. */
export function fourFifthsScreen(cells: readonly GroupCell[], options: CellOptions = {}): FourFifths {
  const ratio = demographicParityRatio(cells, options);
  if (!ratio.estimable) {
    return { ratio, below: null, flagged: false, lowest: null, highest: null, test: null, pValue: null };
  }
  const ordered = groupRates(cells, 'selection', options).sort((a, b) => a.rate - b.rate);
  const [lowest, highest] = [ordered[0]!, ordered.at(-1)!];
  const table = { a: lowest.part, n: lowest.whole, b: highest.part, m: highest.whole };
  const { test, pValue } = testTwoRates(table);
  const below = ratio.value < FOUR_FIFTHS;
  const flagged = below && pValue < SIGNIFICANT;
  return { ratio, below, flagged, lowest: lowest.group, highest: highest.group, test, pValue };
}
