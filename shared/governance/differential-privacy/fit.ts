/**
 * Owns how far draws are from the chances that they should have, for tests and audits of samplers: Pearson's chi-square over cells that
 * hold enough, and the total variation. Exact chances in, nothing fitted.
 */

export interface Fit {
  /** Normal deviate of the chi-square statistic (Wilson and Hilferty 1931): above 3.1 once in a thousand right samplers. */
  readonly deviate: number;
  readonly cells: number;
  readonly totalVariation: number;
  /** What the total variation of a right sampler is on average, about. */
  readonly totalVariationExpected: number;
}

/** Cells that hold less than this together are one cell. */
const CELL_MIN = 20;

interface Cell {
  readonly seen: number;
  readonly expected: number;
}

/** `chanceOf` of the whole numbers -reach .. reach; what lies further out is one cell. */
export function fitOf(draws: ReadonlyMap<bigint, number>, chanceOf: (value: number) => number, reach: number): Fit {
  let total = 0;
  for (const seen of draws.values()) total += seen;
  const cells: Cell[] = [];
  let [seenFar, expectedFar] = [total, total];
  let [variation, variationExpected] = [0, 0];
  for (let value = -reach; value <= reach; value++) {
    const [seen, chance] = [draws.get(BigInt(value)) ?? 0, chanceOf(value)];
    variation += Math.abs(seen / total - chance) / 2;
    variationExpected += Math.sqrt((chance * (1 - chance)) / (2 * Math.PI * total));
    if (chance * total < CELL_MIN) continue;
    cells.push({ seen, expected: chance * total });
    seenFar -= seen;
    expectedFar -= chance * total;
  }
  if (expectedFar >= CELL_MIN) cells.push({ seen: seenFar, expected: expectedFar });
  let statistic = 0;
  for (const { seen, expected } of cells) statistic += (seen - expected) ** 2 / expected;
  const freedom = cells.length - 1;
  const part = 2 / (9 * freedom);
  return {
    deviate: (Math.cbrt(statistic / freedom) - (1 - part)) / Math.sqrt(part),
    cells: cells.length,
    totalVariation: variation,
    totalVariationExpected: variationExpected,
  };
}

/** (1 - q) / (1 + q) q^|x|, q = exp(-1 / scale). */
export function laplaceChance(scale: number): (value: number) => number {
  const q = Math.exp(-1 / scale);
  return (value) => ((1 - q) / (1 + q)) * Math.exp(-Math.abs(value) / scale);
}

/** exp(-x^2 / 2 variance), normalised by its own sum. */
export function gaussianChance(variance: number): (value: number) => number {
  const reach = Math.ceil(40 * Math.sqrt(variance)) + 40;
  let sum = 1;
  for (let value = 1; value <= reach; value++) sum += 2 * Math.exp((-value * value) / (2 * variance));
  return (value) => Math.exp((-value * value) / (2 * variance)) / sum;
}
