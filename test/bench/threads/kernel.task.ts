/** Owns the kernel of the benchmark of threads: the inner products of a query with many vectors, and the best of them. Or nothing at all. */

const WIDTH = 64;
const ITEMS_MAX = 50_000;

let vectors: Float32Array | undefined;

/** The same in every thread. */
function catalogue(): Float32Array {
  if (vectors !== undefined) return vectors;
  const made = new Float32Array(ITEMS_MAX * WIDTH);
  for (let at = 0, state = 1; at < made.length; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    made[at] = state / 2 ** 31;
  }
  vectors = made;
  return made;
}

/** The best item of so many for a query. */
export function best({ items, query }: { readonly items: number; readonly query: Float32Array }): number {
  if (items === 0) return 0;
  const all = catalogue();
  let [bestItem, highest] = [0, -Infinity];
  for (let item = 0; item < items; item++) {
    let sum = 0;
    for (let at = 0; at < WIDTH; at++) sum += (all[item * WIDTH + at] as number) * (query[at] as number);
    if (sum > highest) [bestItem, highest] = [item, sum];
  }
  return bestItem;
}

export const queryOf = (length: number): Float32Array =>
  Float32Array.from({ length: WIDTH }, (_, at) => (at + length) % 7);
