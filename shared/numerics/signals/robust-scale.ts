/**
 * Owns making figures of several platforms and times comparable: each is placed by the median of its source and window, in units of their
 * spread. What a platform adds to all its figures, or multiplies them by, falls out; a few extreme figures move neither median nor spread.
 * z = (x - median) / (1.4826 MAD); 1.4826 makes it the standard deviation for normal figures (Hampel 1974).
 */

const NORMAL = 1.4826;
/** A group with fewer figures is placed by all of its source. */
export const GROUP_MIN = 20;

export interface Scale {
  readonly figures: number;
  readonly median: number;
  /** In the unit of the figures; 0: more than half of them are equal. */
  readonly spread: number;
}

function medianOf(sorted: Float64Array): number {
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

/** O(n log n). `values` must not be empty. */
export function scaleOf(values: Float64Array): Scale {
  const median = medianOf(values.toSorted());
  const spread = NORMAL * medianOf(values.map((value) => Math.abs(value - median)).sort());
  return { figures: values.length, median, spread };
}

/** Groups of equal numbers. */
function groupsOf(keys: ArrayLike<number>): Map<number, number[]> {
  const groups = new Map<number, number[]>();
  for (let row = 0; row < keys.length; row++) {
    const rows = groups.get(keys[row]!);
    if (rows === undefined) groups.set(keys[row]!, [row]);
    else rows.push(row);
  }
  return groups;
}

/** Places each value within its source and window. Where all of a group are equal there is nothing to tell apart: 0. */
export function robustScale(
  values: Float64Array,
  sources: ArrayLike<number>,
  windows: ArrayLike<number>,
): Float64Array {
  const placed = new Float64Array(values.length);
  const at = (rows: readonly number[]): Float64Array => Float64Array.from(rows, (row) => values[row]!);
  for (const ofSource of groupsOf(sources).values()) {
    const whole = scaleOf(at(ofSource));
    for (const local of groupsOf(ofSource.map((row) => windows[row]!)).values()) {
      const rows = local.map((n) => ofSource[n]!);
      const { median, spread } = rows.length < GROUP_MIN ? whole : scaleOf(at(rows));
      for (const row of rows) placed[row] = spread > 0 ? (values[row]! - median) / spread : 0;
    }
  }
  return placed;
}
