/** Owns what decides whether a branch of the fusion is let in, and for whom: judges gain by it, or it stays shut. */
import { HISTORY_BOUNDS } from './fusion-params.ts';

/** What the weight of a branch may be multiplied by: the likelihood that the head learns by is kinder to a branch than the top of a list. */
export const GATES = [1, 0.5, 0.25] as const;
/** A segment with fewer judges takes the verdict of all. */
export const JUDGES_MIN = 30;
/** A branch is let in when its gain is above that many standard errors. */
const GATE_ERRORS = 0.5;

export const ALWAYS = { gate: 1, gain: 0, error: 0 };

export function segmentOf(history: number): number {
  return HISTORY_BOUNDS.filter((bound) => history > bound).length;
}

/** The gate that gains most, or shut. */
export function judge(gains: readonly (readonly number[])[]): {
  readonly gate: number;
  readonly gain: number;
  readonly error: number;
} {
  const all = gains.map((own, n) => ({ gate: GATES[n]!, ...meanAndError(own) }));
  const best = all.reduce((one, other) => (other.gain > one.gain ? other : one));
  return best.gain > GATE_ERRORS * best.error ? best : { ...best, gate: 0 };
}

function meanAndError(values: readonly number[]): { readonly gain: number; readonly error: number } {
  const n = values.length;
  if (n < 2) return { gain: 0, error: 0 };
  const gain = values.reduce((sum, value) => sum + value, 0) / n;
  const squares = values.reduce((sum, value) => sum + (value - gain) ** 2, 0);
  return { gain, error: Math.sqrt(squares / (n - 1) / n) };
}
