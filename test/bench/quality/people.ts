/** Owns real people as the columns that quality reads: whoever rated films, all of them people as far as anybody knows. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EVENT_TYPES } from '../../../shared/contract-kit/event.ts';
import { emptyActs } from '../../../shared/numerics/quality/acts.ts';
import type { World } from './world.ts';

const RATING = EVENT_TYPES.indexOf('rating');

/** Ranks of films in order of release; -1: unknown. */
async function placesOf(dir: string): Promise<Int32Array> {
  const lines = (await readFile(join(dir, 'u.item'), 'latin1')).trimEnd().split('\n');
  const born = lines.map((line) => Date.parse(`${line.split('|')[2]} UTC`));
  const known = [...born.keys()].filter((n) => !Number.isNaN(born[n]!)).sort((a, b) => born[a]! - born[b]! || a - b);
  const place = new Int32Array(born.length).fill(-1);
  for (const [rank, n] of known.entries()) place[n] = rank;
  return place;
}

/** MovieLens 100K from its folder; `keeps`: which people, by their id. */
export async function filmLovers(dir: string, keeps: (id: number) => boolean = () => true): Promise<World> {
  const rows = (await readFile(join(dir, 'u.data'), 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t').map(Number) as [number, number, number, number])
    .filter(([user]) => keeps(user));
  const byUser = Map.groupBy(rows, ([user]) => user);
  const ids = [...byUser.keys()].sort((a, b) => a - b);
  const acts = emptyActs(ids.length, rows.length);
  let n = 0;
  for (const [account, id] of ids.entries()) {
    // The order of the store: by moment, then by what came first in the columns (the item).
    for (const [, item, value, at] of byUser.get(id)!.toSorted((a, b) => a[3] - b[3] || a[1] - b[1])) {
      acts.item[n] = item - 1;
      acts.type[n] = RATING;
      acts.value[n] = value;
      acts.at[n++] = at * 1000;
    }
    acts.starts[account + 1] = n;
  }
  const place = await placesOf(dir);
  const items = { items: place.length, place, owner: new Int32Array(place.length).fill(-1) };
  return { acts, items, bot: ids.map(() => null), ring: ids.map(() => null) };
}
