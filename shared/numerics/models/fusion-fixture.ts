/** Owns a world of eight tastes for tests of models that fuse sources: people whose histories are short or long, and whose ties are of their taste or of none. */
import { inlinePool } from '../../compute/pool.ts';
import { randomStream } from '../../random.ts';
import type { TestItems } from '../evaluation/ranking-metrics.ts';
import { fromTriples } from '../sparse.ts';
import type { ExternalSource, FitContext, SparseRows, TrainInput } from '../types.ts';
import type { FittedFusion } from './fusion.ts';
import { findModel } from './registry.ts';

export const [USERS, ITEMS] = [240, 80];
const TASTES = 8;
const own = (user: number, n: number) => ((user % TASTES) + TASTES * n) % ITEMS;

/** People of eight tastes with ten items each; half of them have shown two, the others eight. The rest is to be found. */
export function world(): { readonly interactions: SparseRows; readonly test: TestItems } {
  const [users, items]: [number[], number[]] = [[], []];
  const [indptr, wanted]: [number[], number[]] = [[0], []];
  for (let user = 0; user < USERS; user++) {
    const stream = randomStream(6, 'test.fusion', user);
    const all = Array.from({ length: 10 }, (_, n) => n).sort(() => stream.uniform() - 0.5);
    // A third of what people do is of no taste.
    const shown = all.slice(0, user % 16 < 8 ? 2 : 8);
    for (const n of shown) {
      users.push(user);
      items.push(stream.uniform() < 0.35 ? stream.below(ITEMS) : own(user, n));
    }
    for (const n of all.slice(8)) wanted.push(own(user, n));
    indptr.push(wanted.length);
  }
  return {
    interactions: fromTriples(USERS, ITEMS, users, items, new Float32Array(users.length).fill(1)),
    test: {
      users: Int32Array.from({ length: USERS }, (_, n) => n),
      indptr: Int32Array.from(indptr),
      items: Int32Array.from(wanted),
    },
  };
}

/** Everybody is tied to five people: of their own taste, or to anybody. */
export function ties(name: string, ofTaste: boolean): ExternalSource {
  const [users, others]: [number[], number[]] = [[], []];
  for (let user = 0; user < USERS; user++) {
    const stream = randomStream(7, 'test.ties', name, user);
    for (let n = 0; n < 5; n++) {
      const other = ofTaste ? (user % TASTES) + TASTES * stream.below(USERS / TASTES) : stream.below(USERS);
      if (other === user) continue;
      users.push(user, other);
      others.push(other, user);
    }
  }
  return { name, kind: 'ties', rows: fromTriples(USERS, USERS, users, others, new Float32Array(users.length).fill(1)) };
}

export const context = (): FitContext => ({
  pool: inlinePool(),
  seed: 2,
  deterministic: true,
  tensorflow: { prefer: 'tfjs-wasm' },
});
export const FUSION_PARAMS = { epochs: 25, depth: 40, holdout: 0.2 };
export const fit = (input: TrainInput, more: object = {}) =>
  findModel('fusion').fit(input, { ...FUSION_PARAMS, ...more }, context()) as Promise<FittedFusion>;
