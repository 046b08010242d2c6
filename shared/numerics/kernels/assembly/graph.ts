/**
 * Owns the scores of the graph filter for a batch of users: two products with the sparse graph and one with low-rank factors, for
 * all users of the batch at once. Slow reference: ../graph.reference.ts.
 */
import { sparseProduct } from './sparse';
import { product } from './vector';

/** Users of a batch: a row of the graph's products is two cache lines, and stays in registers. */
const USERS: i32 = 32;

/** Bytes of scratch of `filterScores`. */
export function filterScratchBytes(users: i32, items: i32, width: i32): usize {
  const rows = <usize>users + 3 * (<usize>((items + 3) & ~3));
  return rows * (<usize>USERS << 2) + 2 * ((<usize>USERS * <usize>width) << 2);
}

/**
 * out[u - from][item] (row stride `outStride` bytes) = local * (left_u S' S)[item] + (weights_u A) . B[item], for users [from, to), at most
 * 32. S is the scaled graph: `userPtr`/`indices` with `scaled` by user, `itemPtr`/`itemIdx`/`itemScaled` by item; `left` and `weights` are other
 * values at the users' places. A and B: items x width, B with room for a multiple of four rows. Sums are in the order of the rows.
 */
export function filterScores(
  userPtr: usize, indices: usize, left: usize, weights: usize, scaled: usize, itemPtr: usize, itemIdx: usize,
  itemScaled: usize, users: i32, items: i32, A: usize, B: usize, width: i32, local: f32, from: i32, to: i32,
  out: usize, outStride: usize, scratch: usize,
): void {
  const row = <usize>USERS << 2, groups = (items + 3) >> 2, side = <usize>(groups << 2) * row;
  const x = scratch, s = x + side, low = s + side, y = low + side, z = y + <usize>users * row;
  const packed = z + ((<usize>USERS * <usize>width) << 2);
  const count = to - from, stride = <usize>width << 2;

  memory.fill(x, 0, side);
  for (let b = 0; b < count; b++) {
    const end = load<i32>(userPtr + (<usize>(from + b + 1) << 2));
    for (let e = load<i32>(userPtr + (<usize>(from + b) << 2)); e < end; e++) {
      const item = load<i32>(indices + (<usize>e << 2));
      store<f32>(x + <usize>item * row + (<usize>b << 2), load<f32>(left + (<usize>e << 2)));
    }
  }
  sparseProduct(userPtr, indices, scaled, 0, users, x, row, USERS, y, row);
  sparseProduct(itemPtr, itemIdx, itemScaled, 0, items, y, row, USERS, s, row);

  memory.fill(z, 0, stride * <usize>USERS);
  sparseProduct(userPtr, indices, weights, from, to, A, stride, width, z, stride);
  for (let b = 0; b < USERS; b++) {
    for (let k = 0; k < width; k++) {
      const at = packed + ((<usize>(b >> 3) * <usize>width + <usize>k) << 5) + (<usize>(b & 7) << 2);
      store<f32>(at, load<f32>(z + <usize>b * stride + (<usize>k << 2)));
    }
  }
  product(B, stride, groups, packed, USERS >> 3, width, low, row);

  for (let b = 0; b < count; b++) {
    const own = out + <usize>b * outStride;
    for (let item = 0; item < items; item++) {
      const at = <usize>item * row + (<usize>b << 2);
      store<f32>(own + (<usize>item << 2), local * load<f32>(s + at) + load<f32>(low + at));
    }
  }
}
