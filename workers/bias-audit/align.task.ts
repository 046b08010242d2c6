/**
 * Owns bringing lists, profiles and relevance onto the same people and items, in a thread. Two pictures come out: what is published,
 * judged by what people took up afterwards; and the model's own evaluation, judged by what was held out from it. Linear in the data.
 */
import type { InteractionView } from '../../shared/numerics/interactions/interaction-view.ts';
import { KeyIndex } from '../../shared/numerics/interactions/key-index.ts';
import { fromTriples } from '../../shared/numerics/sparse.ts';
import { KEY_BYTES, type SparseRows } from '../../shared/numerics/types.ts';

export interface EvaluatedLists {
  readonly subjects: Uint8Array;
  readonly k: number;
  /** Places in `itemKeys` of the request (items of embeddings come first there). */
  readonly items: Int32Array;
  readonly heldOutPtr: Int32Array;
  readonly heldOutItems: Int32Array;
}

export interface AlignRequest {
  /** People of the candidates. */
  readonly subjects: Uint8Array;
  /** 1 where the person may be audited. */
  readonly audited: Uint8Array;
  readonly itemKeys: Uint8Array;
  /** subjects * listK. */
  readonly items: Int32Array;
  readonly listK: number;
  readonly k: number;
  /** What people like, by the data set. */
  readonly liked: InteractionView;
  /** The part of it that they first met after the candidates were made. */
  readonly later: InteractionView;
  readonly evaluated: EvaluatedLists | undefined;
}

export interface Picture {
  readonly lists: Int32Array;
  readonly k: number;
  readonly profiles: SparseRows;
  readonly relevant: SparseRows;
}

export interface Aligned {
  /** Places of the audited people in `subjects`. */
  readonly people: Int32Array;
  readonly userKeys: Uint8Array;
  /** People who like each item. */
  readonly popularity: Float64Array;
  readonly published: Picture;
  /** Absent where the model was not evaluated on a holdout. */
  readonly holdout: Picture | undefined;
}

interface Pairs {
  readonly users: number[];
  readonly items: number[];
}

export function align(request: AlignRequest): Aligned {
  const { subjects, audited, itemKeys, listK, k, liked, later, evaluated } = request;
  const people = Int32Array.from([...audited.keys()].filter((person) => audited[person] === 1));
  const userKeys = new Uint8Array(people.length * KEY_BYTES);
  for (const [row, person] of people.entries())
    userKeys.set(subjects.subarray(person * KEY_BYTES, (person + 1) * KEY_BYTES), row * KEY_BYTES);
  const users = KeyIndex.of(userKeys);
  const items = KeyIndex.of(itemKeys);
  const rowsOf = ({ users: u, items: i }: Pairs): SparseRows =>
    fromTriples(people.length, items.size, u, i, new Float32Array(u.length).fill(1));
  const popularity = new Float64Array(items.size);
  const all = pairsOf(liked, users, items, popularity);
  const relevant = rowsOf(pairsOf(later, users, items));
  const lists = new Int32Array(people.length * k).fill(-1);
  for (const [row, person] of people.entries())
    lists.set(request.items.subarray(person * listK, person * listK + Math.min(k, listK)), row * k);
  const published = { lists, k, profiles: without(rowsOf(all), relevant), relevant };
  return {
    people,
    userKeys,
    popularity,
    published,
    holdout: evaluated && holdoutPicture(evaluated, users, rowsOf, rowsOf(all)),
  };
}

/** Pairs of a view among these people and items; counts people per item over the whole view. */
function pairsOf(
  { userKeys, itemKeys, interactions }: InteractionView,
  users: KeyIndex,
  items: KeyIndex,
  counts?: Float64Array,
): Pairs {
  const place = Int32Array.from({ length: interactions.columns }, (_, n) => items.find(itemKeys, n));
  const pairs: Pairs = { users: [], items: [] };
  for (let row = 0; row < interactions.rows; row++) {
    const user = users.find(userKeys, row);
    for (let n = interactions.indptr[row]!; n < interactions.indptr[row + 1]!; n++) {
      const item = place[interactions.indices[n]!]!;
      if (item < 0) continue;
      if (counts !== undefined) counts[item]!++;
      if (user < 0) continue;
      pairs.users.push(user);
      pairs.items.push(item);
    }
  }
  return pairs;
}

/** The model's evaluation, for the audited people it knows; profiles are what it could learn from. */
function holdoutPicture(
  { subjects, k, items, heldOutPtr, heldOutItems }: EvaluatedLists,
  users: KeyIndex,
  rowsOf: (pairs: Pairs) => SparseRows,
  liked: SparseRows,
): Picture {
  const lists = new Int32Array(users.size * k).fill(-1);
  const held: Pairs = { users: [], items: [] };
  for (let row = 0; row < subjects.length / KEY_BYTES; row++) {
    const user = users.find(subjects, row);
    if (user < 0) continue;
    lists.set(items.subarray(row * k, (row + 1) * k), user * k);
    for (let n = heldOutPtr[row]!; n < heldOutPtr[row + 1]!; n++) {
      held.users.push(user);
      held.items.push(heldOutItems[n]!);
    }
  }
  const relevant = rowsOf(held);
  return { lists, k, profiles: without(liked, relevant), relevant };
}

/** Rows of `from` less the pairs of `less`. */
function without(from: SparseRows, less: SparseRows): SparseRows {
  const [users, items]: [number[], number[]] = [[], []];
  for (let row = 0; row < from.rows; row++) {
    const gone = new Set(less.indices.subarray(less.indptr[row], less.indptr[row + 1]));
    for (let n = from.indptr[row]!; n < from.indptr[row + 1]!; n++) {
      if (gone.has(from.indices[n]!)) continue;
      users.push(row);
      items.push(from.indices[n]!);
    }
  }
  return fromTriples(from.rows, from.columns, users, items, new Float32Array(users.length).fill(1));
}
