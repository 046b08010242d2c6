/**
 * Owns what each external source is worth to a model that fuses them: is it a net gain, for which people? Nothing is trained: the source's
 * branch is masked, or its rows are given to other people (permutation importance).
 */
import { randomStream, shuffle } from '../../random.ts';
import type { FittedFusion } from '../models/fusion.ts';
import { fromTriples } from '../sparse.ts';
import type { ExternalSource, FitContext, RankedLists } from '../types.ts';
import type { Difference } from './compare.ts';
import type { EvaluationTask } from './evaluate-model.ts';
import type { MeasuredLists, MeasureRequest } from './measure.task.ts';

export interface SourceReport {
  readonly name: string;
  /** What the model multiplies the branch's weights by; 0: it shut the branch. */
  readonly gate: number;
  /** Mean weight of the branch over the people with test items. */
  readonly weight: number;
  /** NDCG with the branch minus without it. */
  readonly gain: Pick<Difference, 'difference' | 'interval' | 'better' | 'worse'>;
  /** The same for each group, with the branch's mean weight there and what permuting costs it. */
  readonly groups: readonly SourceGroup[];
  /** NDCG minus that with the source's rows given to other people. */
  readonly permutation: number;
}

export interface SourceGroup {
  readonly name: string;
  readonly users: number;
  readonly difference: number;
  /** Absent where groups are not known person by person. */
  readonly weight?: number;
  readonly permutation: number;
}

const TASKS = new URL('./measure.task.ts', import.meta.url).href;

/** One report a source. `lists` are the model's own. */
export async function ablateSources(
  fitted: FittedFusion,
  lists: RankedLists,
  task: EvaluationTask,
  context: FitContext,
): Promise<readonly SourceReport[]> {
  const { pool, seed, signal } = context;
  const { userKeys: keys } = task.train;
  const request = (own: RankedLists): MeasureRequest => ({
    parts: [{ lists: own, test: task.test, keys }],
    catalogue: task.train.interactions.columns,
    counts: { users: 1, itemUsers: new Int32Array(task.train.interactions.columns) },
    ...(task.groups === undefined
      ? {}
      : { groups: { ...task.groups, of: task.groups.of.slice(0, task.test.users.length) } }),
  });
  const once = async <T>(name: string, payload: unknown): Promise<T> =>
    (await pool.runPhase<T>([{ module: TASKS, name, payload }], signal))[0]!;
  const measure = (own: RankedLists) => once<MeasuredLists>('measureLists', request(own));
  const rank = (model: FittedFusion) =>
    model.rank({ k: task.k, exclude: task.exclude, ...(signal === undefined ? {} : { signal }) });
  const whole = await measure(lists);
  const weights = await fitted.weights();
  const reports: SourceReport[] = [];
  for (const source of task.train.sources ?? []) {
    const place = fitted.branches.findIndex(({ name }) => name === source.name);
    const less = await measure(await rank(fitted.without([source.name])));
    const permuted = await measure(await rank(await fitted.replaceSource(permute(source, seed))));
    const { parts } = request(lists);
    const compared = { first: whole.own, second: less.own, parts, seed };
    const differences = await once<readonly Difference[]>('compareLists', compared);
    const { better, difference, interval, worse } = differences.find(({ metric }) => metric === 'ndcg')!;
    const branches = fitted.branches.length;
    const weightOf = (user: number): number => weights[user * branches + place]!;
    reports.push({
      name: source.name,
      gate: fitted.branches[place]!.gate,
      weight: meanOver(task.test.users, weightOf),
      gain: { better, difference, interval, worse },
      groups: whole.breakdown!.groups.map(({ name, ndcg, users }) => {
        const of = (other: MeasuredLists) => other.breakdown!.groups.find((row) => row.name === name)!.ndcg;
        const place = task.groups?.names.indexOf(name) ?? -1;
        const members = task.test.users.filter((_, n) => task.groups?.of[n] === place);
        return {
          name,
          users,
          difference: ndcg - of(less),
          ...(place >= 0 && { weight: meanOver(members, weightOf) }),
          permutation: ndcg - of(permuted),
        };
      }),
      permutation: whole.metrics.ndcg - permuted.metrics.ndcg,
    });
  }
  return reports;
}

const meanOver = (users: Int32Array, of: (user: number) => number): number =>
  users.length === 0 ? 0 : users.reduce((sum, user) => sum + of(user), 0) / users.length;

/** The same rows, each somebody else's; a tie keeps its other end. */
export function permute(source: ExternalSource, seed: number): ExternalSource {
  const { rows } = source;
  const order = shuffle(
    Array.from({ length: rows.rows }, (_, user) => user),
    randomStream(seed, 'evaluation.permute', source.name),
  );
  const users = order.flatMap((user, from) =>
    Array.from({ length: rows.indptr[from + 1]! - rows.indptr[from]! }, () => user),
  );
  return { ...source, rows: fromTriples(rows.rows, rows.columns, users, rows.indices, rows.values) };
}
