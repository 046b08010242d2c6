/**
 * Owns the transform that makes the columns of a tall matrix orthonormal, from their Gram matrix: Y (L')^-1 with L L' = Y'Y (Cholesky QR;
 * twice is as good as Householder: Yamamoto et al., ETNA 44, 2015). A column that depends on those before it becomes 0.
 */

/** A column whose square falls to this share of itself once the others are taken out is float32 noise. */
const DEPENDENT = 1e-11;

/** `gram`: width * width, its lower triangle is read. Returns the upper triangular transform T, row-major: Y T is orthonormal. */
export function orthonormalTransform(gram: Float64Array, width: number): Float64Array {
  const { factor, dependent } = choleskyFactor(gram, width);
  // Column j of T solves L' t = e_j, that is row j of L^-1.
  const transform = new Float64Array(width * width);
  const row = new Float64Array(width);
  for (let i = 0; i < width; i++) {
    if (dependent[i] === 1) continue;
    row.fill(0);
    const scale = 1 / factor[i * width + i]!;
    for (let k = 0; k < i; k++) {
      const weight = factor[i * width + k]!;
      if (weight === 0) continue;
      // Column k of T is row k of L^-1; T keeps columns, so it is read down.
      for (let j = 0; j <= k; j++) row[j]! -= weight * transform[j * width + k]!;
    }
    for (let j = 0; j < i; j++) transform[j * width + i] = row[j]! * scale;
    transform[i * width + i] = scale;
  }
  return transform;
}

function choleskyFactor(
  gram: Float64Array,
  width: number,
): { readonly factor: Float64Array; readonly dependent: Uint8Array } {
  const factor = new Float64Array(width * width);
  const dependent = new Uint8Array(width);
  for (let i = 0; i < width; i++) {
    for (let j = 0; j < i; j++) {
      if (dependent[j] === 1) continue;
      let sum = gram[i * width + j]!;
      for (let k = 0; k < j; k++) sum -= factor[i * width + k]! * factor[j * width + k]!;
      factor[i * width + j] = sum / factor[j * width + j]!;
    }
    let square = gram[i * width + i]!;
    for (let k = 0; k < i; k++) square -= factor[i * width + k]! ** 2;
    if (square > DEPENDENT * gram[i * width + i]!) factor[i * width + i] = Math.sqrt(square);
    else dependent[i] = 1;
  }
  return { factor, dependent };
}
