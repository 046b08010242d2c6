/** Owns the last step before clustering: people who have no value of a feature take the mean of those who do, so that it does not separate them. */
import { sharedBytes } from '../../shared/numerics/interactions/key-index.ts';
import { sharedFloat32 } from '../../shared/numerics/sparse.ts';
import { KEY_BYTES } from '../../shared/numerics/types.ts';

export interface ImputeRequest {
  readonly subjects: Uint8Array;
  /** Row-major; NaN: no value. */
  readonly matrix: Float32Array;
  readonly width: number;
  /** Hex keys of people to leave out. */
  readonly without: ReadonlySet<string>;
}

export interface Imputed {
  readonly rows: number;
  readonly subjects: Uint8Array;
  readonly matrix: Float32Array;
}

/** Leaves people out, then fills gaps by column means over the rest. Linear. */
export function imputeMeans({ subjects, matrix, width, without }: ImputeRequest): Imputed {
  const people = subjects.length / KEY_BYTES;
  const keyOf = (row: number): Uint8Array => subjects.subarray(row * KEY_BYTES, (row + 1) * KEY_BYTES);
  const kept = Array.from({ length: people }, (_, row) => row).filter(
    (row) => without.size === 0 || !without.has(Buffer.from(keyOf(row)).toString('hex')),
  );
  const keys = sharedBytes(kept.length * KEY_BYTES);
  const filled = sharedFloat32(kept.length * width);
  for (const [to, row] of kept.entries()) keys.set(keyOf(row), to * KEY_BYTES);
  for (let column = 0; column < width; column++) {
    let [sum, count] = [0, 0];
    for (const row of kept) {
      const value = matrix[row * width + column]!;
      if (Number.isNaN(value)) continue;
      sum += value;
      count++;
    }
    const mean = count === 0 ? 0 : sum / count;
    for (const [to, row] of kept.entries()) {
      const value = matrix[row * width + column]!;
      filled[to * width + column] = Number.isNaN(value) ? mean : value;
    }
  }
  return { rows: kept.length, subjects: keys, matrix: filled };
}
