/** Owns how far fake signals lift their target: lists for the same people, learned with and without them. */
import { EVENT_TYPES } from '../../../shared/contract-kit/event.ts';
import { capWeights, ClaimList } from '../../../shared/numerics/interactions/weight-caps.ts';
import { INTERACTION_TABLE } from '../../../shared/numerics/interactions/weights.ts';
import { findModel } from '../../../shared/numerics/models/registry.ts';
import { fromTriples, sharedInt32 } from '../../../shared/numerics/sparse.ts';
import type { FitContext, SparseRows } from '../../../shared/numerics/types.ts';
import type { World } from './world.ts';

const K = 20;
const RATING_MAX = 5;

const likes = EVENT_TYPES.map((type) => {
  const { weight, positiveFrom } = INTERACTION_TABLE[type];
  if (positiveFrom === undefined) return () => weight > 0;
  const from = 'value' in positiveFrom ? positiveFrom.value : positiveFrom.scale * RATING_MAX;
  return (value: number) => value >= from;
});

/** Who likes what among the accounts that `counts`; rows of the others are empty. */
function liking({ acts, items }: World, counts: (account: number) => boolean): SparseRows {
  const triples: [number[], number[], number[]] = [[], [], []];
  for (let account = 0; account < acts.accounts; account++) {
    if (!counts(account)) continue;
    for (let n = acts.starts[account]!; n < acts.starts[account + 1]!; n++) {
      if (acts.item[n]! < 0 || !likes[acts.type[n]!]!(acts.value[n]!)) continue;
      triples[0].push(account);
      triples[1].push(acts.item[n]!);
      triples[2].push(1);
    }
  }
  return fromTriples(acts.accounts, items.items, ...triples);
}

/** What counts of each pair when all bots come from a source that may make up `share` of what is learned, and people from one that is trusted. */
function influenceOf(
  world: World,
  interactions: SparseRows,
  accounts: readonly number[],
  share: number,
): Float32Array | undefined {
  const { columns, indices, indptr, values } = interactions;
  const claims = new ClaimList(indices.length, [1, share]);
  for (const [row, account] of accounts.entries())
    for (let at = indptr[row]!; at < indptr[row + 1]!; at++)
      claims.add(at, world.bot[account] === null ? Float32Array.of(values[at]!, 0) : Float32Array.of(0, values[at]!));
  return capWeights(claims, { values, itemOf: indices, items: columns }, [1, share]).influence;
}

/**
 * Exposure of each item in the lists of people: 1 / log2(1 + position), summed. Learned from the accounts that count. `share`: the most that the source
 * that all bots come from may make up; 1: they come from where people come from.
 */
export async function exposures(
  world: World,
  model: string,
  { counts, share = 1 }: { readonly counts: (account: number) => boolean; readonly share?: number },
  context: FitContext,
): Promise<Float64Array> {
  const all = liking(world, counts);
  // Models refuse rows and columns without interactions.
  const people = [...Array(all.rows).keys()].filter((account) => all.indptr[account + 1]! > all.indptr[account]!);
  const known = [...new Set(all.indices)].sort((a, b) => a - b);
  const column = new Map(known.map((item, n) => [item, n]));
  const interactions: SparseRows = {
    rows: people.length,
    columns: known.length,
    indptr: sharedInt32(people.length + 1, [0, ...people.map((account) => all.indptr[account + 1]!)]),
    indices: sharedInt32(
      all.indices.length,
      [...all.indices].map((item) => column.get(item)!),
    ),
    values: all.values,
  };
  const influence = share < 1 ? influenceOf(world, interactions, people, share) : undefined;
  const input = influence === undefined ? { interactions } : { interactions, influence };
  const fitted = await findModel(model).fit(input, {}, context);
  const { items } = await fitted.rank({ k: K, exclude: interactions });
  const exposure = new Float64Array(world.items.items);
  for (const [row, account] of people.entries()) {
    // Bots' own lists are nobody's attention.
    if (world.bot[account] !== null) continue;
    for (let place = 0; place < K; place++) {
      const at = items[row * K + place]!;
      if (at >= 0) exposure[known[at]!]! += 1 / Math.log2(2 + place);
    }
  }
  return exposure;
}

/** Items in the order of how many people like them, every fifth from a place on: what it pays to lift. */
export function likedFrom(world: World, place: number, many: number): number[] {
  const likers = new Int32Array(world.items.items);
  for (const item of liking(world, (account) => world.bot[account] === null).indices) likers[item]!++;
  const order = [...likers.keys()].sort((a, b) => likers[b]! - likers[a]! || a - b);
  return Array.from({ length: many }, (_, n) => order[place + 5 * n]!);
}

/** The items on which bots act most. */
export function targetsOf({ acts, bot }: World, many: number): number[] {
  const count = new Map<number, number>();
  for (let account = 0; account < acts.accounts; account++)
    if (bot[account] !== null)
      for (let n = acts.starts[account]!; n < acts.starts[account + 1]!; n++)
        if (acts.item[n]! >= 0) count.set(acts.item[n]!, (count.get(acts.item[n]!) ?? 0) + 1);
  return [...count]
    .sort((a, b) => b[1] - a[1] || a[0] - b[0])
    .slice(0, many)
    .map(([item]) => item);
}
