/**
 * Owns item neighbourhoods: cosine similarity of item columns, the best K neighbours of each item, and the scores that a
 * user's items give to the catalogue. Slow reference: ../knn.reference.ts.
 */

/**
 * Neighbours of items [from, to): similarity(i, j) = sum_u x_ui x_uj / (|x_i| |x_j| + shrink), j != i, > 0; higher first, then
 * lower j. `userPtr`/`userIdx`/`userVal` are rows by user, `itemPtr`/`itemIdx`/`itemVal` rows by item. Unused places hold -1 and 0.
 * `scratch`: 8 bytes an item, the first half zero on entry and on return.
 */
export function itemNeighbours(
  userPtr: usize, userIdx: usize, userVal: usize, itemPtr: usize, itemIdx: usize, itemVal: usize, norms: usize, n: i32,
  shrink: f32, K: i32, from: i32, to: i32, outItems: usize, outValues: usize, scratch: usize,
): void {
  const sums = scratch, touched = scratch + (<usize>n << 2);
  for (let i = from; i < to; i++) {
    let count = 0;
    const end = load<i32>(itemPtr + (<usize>(i + 1) << 2));
    for (let e = load<i32>(itemPtr + (<usize>i << 2)); e < end; e++) {
      const user = load<i32>(itemIdx + (<usize>e << 2));
      const weight = load<f32>(itemVal + (<usize>e << 2));
      const stop = load<i32>(userPtr + (<usize>(user + 1) << 2));
      for (let f = load<i32>(userPtr + (<usize>user << 2)); f < stop; f++) {
        const j = load<i32>(userIdx + (<usize>f << 2));
        const at = sums + (<usize>j << 2);
        const sum = load<f32>(at), more = weight * load<f32>(userVal + (<usize>f << 2));
        // A product of 0 (weights of 0, or too small for f32) would list the item again and again.
        if (more == 0) continue;
        if (sum == 0) {
          store<i32>(touched + (<usize>count << 2), j);
          count++;
        }
        store<f32>(at, sum + more);
      }
    }
    const o = (<usize>i * <usize>K) << 2;
    keepNeighbours(sums, touched, count, i, norms, shrink, K, outItems + o, outValues + o);
  }
}

function keepNeighbours(
  sums: usize, touched: usize, count: i32, i: i32, norms: usize, shrink: f32, K: i32, items: usize, values: usize,
): void {
  const own = load<f32>(norms + (<usize>i << 2));
  let kept = 0;
  for (let t = 0; t < count; t++) {
    const j = load<i32>(touched + (<usize>t << 2));
    const sum = load<f32>(sums + (<usize>j << 2));
    store<f32>(sums + (<usize>j << 2), 0);
    if (j == i) continue;
    const value = sum / (own * load<f32>(norms + (<usize>j << 2)) + shrink);
    if (kept == K && load<f32>(values + (<usize>(K - 1) << 2)) > value) continue;
    let at = 0, behind = kept;
    while (at < behind) {
      const middle = (at + behind) >> 1;
      const other = load<f32>(values + (<usize>middle << 2));
      const before = other > value || (other == value && load<i32>(items + (<usize>middle << 2)) < j);
      if (before) at = middle + 1;
      else behind = middle;
    }
    if (at >= K) continue;
    if (kept < K) kept++;
    const o = <usize>at << 2, bytes = <usize>(kept - 1 - at) << 2;
    memory.copy(items + o + 4, items + o, bytes);
    memory.copy(values + o + 4, values + o, bytes);
    store<i32>(items + o, j);
    store<f32>(values + o, value);
  }
  for (let t = kept; t < K; t++) {
    store<i32>(items + (<usize>t << 2), -1);
    store<f32>(values + (<usize>t << 2), 0);
  }
}

/** out[0..n) = for each item the sum, over the user's items in ascending order, of weight * similarity to it. */
export function neighbourScores(
  indptr: usize, indices: usize, values: usize, user: i32, neighbours: usize, similarities: usize, K: i32, n: i32, out: usize,
): void {
  memory.fill(out, 0, <usize>n << 2);
  const end = load<i32>(indptr + (<usize>(user + 1) << 2));
  for (let e = load<i32>(indptr + (<usize>user << 2)); e < end; e++) {
    const weight = load<f32>(values + (<usize>e << 2));
    const row = (<usize>load<i32>(indices + (<usize>e << 2)) * <usize>K) << 2;
    for (let t = 0; t < K; t++) {
      const j = load<i32>(neighbours + row + (<usize>t << 2));
      if (j < 0) break;
      const at = out + (<usize>j << 2);
      store<f32>(at, load<f32>(at) + weight * load<f32>(similarities + row + (<usize>t << 2)));
    }
  }
}
