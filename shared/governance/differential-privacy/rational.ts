/** Owns exact fractions: what noise is drawn by. A number is read as the decimal that it is written as, so that 0.1 is one tenth. */

export interface Rational {
  readonly n: bigint;
  /** > 0, no factor in common with `n`. */
  readonly d: bigint;
}

function commonFactor(a: bigint, b: bigint): bigint {
  let [large, small] = [a < 0n ? -a : a, b];
  while (small !== 0n) [large, small] = [small, large % small];
  return large;
}

export function rational(n: bigint, d = 1n): Rational {
  if (d === 0n) throw new RangeError('a fraction over nothing');
  const sign = d < 0n ? -1n : 1n;
  const factor = commonFactor(n, sign * d) || 1n;
  return { n: (sign * n) / factor, d: (sign * d) / factor };
}

const WRITTEN = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/;

/** The decimal as it is written, exactly; not the binary fraction that stands for it. */
export function rationalOf(value: number): Rational {
  const [, sign, whole = '', part = '', exponent = '0'] = WRITTEN.exec(String(value)) ?? [];
  if (sign === undefined) throw new RangeError(`${value} is no finite number`);
  const digits = BigInt(sign + whole + part);
  const power = Number(exponent) - part.length;
  return power < 0 ? rational(digits, 10n ** BigInt(-power)) : rational(digits * 10n ** BigInt(power));
}

export const plus = (a: Rational, b: Rational): Rational => rational(a.n * b.d + b.n * a.d, a.d * b.d);
export const times = (a: Rational, b: Rational): Rational => rational(a.n * b.n, a.d * b.d);
export const over = (a: Rational, b: Rational): Rational => rational(a.n * b.d, a.d * b.n);

/** For figures that people read, and for accounting; never on the way to a draw. */
export function numberOf({ n, d }: Rational): number {
  const [top, below] = [Number(n), Number(d)];
  if (Number.isFinite(top) && Number.isFinite(below)) return top / below;
  const shift = BigInt(Math.max(n.toString(2).length, d.toString(2).length) - 1000);
  return Number(n >> shift) / Number(d >> shift);
}

/** Largest whole number whose square is not above `value`, by Newton's way from above; O(log log value) steps. */
export function wholeRoot(value: bigint): bigint {
  if (value < 2n) return value;
  let root = 1n << BigInt((value.toString(2).length + 1) >> 1);
  for (;;) {
    const next = (root + value / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}
