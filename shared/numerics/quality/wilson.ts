/** Owns how much a share proves. */

/** Two-sided 95 %. */
const Z = 1.96;

/** Lower end of the Wilson score interval of `hits` in `n`; NaN without evidence. Wilson, JASA 22 (1927). */
export function wilsonLow(hits: number, n: number): number {
  if (n === 0) return Number.NaN;
  const share = hits / n;
  const middle = share + (Z * Z) / (2 * n);
  const half = Z * Math.sqrt((share * (1 - share)) / n + (Z * Z) / (4 * n * n));
  return Math.max(0, (middle - half) / (1 + (Z * Z) / n));
}
