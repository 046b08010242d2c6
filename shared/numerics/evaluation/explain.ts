/**
 * Owns why a person is shown what they are shown, by branch of a model that fuses sources: how much the branch weighs for the person (its attention), which
 * part of each item's score comes from it, and its permutation importance for the prediction: what the item's score loses, and which share of the list goes,
 * when the source's rows are those of other people, on the mean of several permutations. The on-site branch is masked instead: histories cannot change hands
 * without training again. Nothing is trained.
 */
import type { FittedFusion } from '../models/fusion.ts';
import { ON_SITE } from '../models/fusion.ts';
import type { AskedPerson, ExplainedPerson } from '../models/fusion-explain.task.ts';
import type { FitContext } from '../types.ts';
import { permute } from './ablation.ts';
import type { EvaluationTask } from './evaluate-model.ts';

/** Permutations of each source. Each makes the source's profiles of everybody anew. */
export const PERMUTATIONS = 5;

export interface ExplainedBranch {
  readonly name: string;
  /** Its share of the weights of this person's branches; 0: masked, shut, or without anything to say. */
  readonly weight: number;
  /** How it was taken away. */
  readonly by: 'permutation' | 'masking';
  /** Mean share of the list that is another without it, 0..1. */
  readonly listChanged: number;
}

export interface ExplainedItem {
  readonly item: number;
  readonly score: number;
  /** In the order of the branches; parts add up to the score. */
  readonly branches: readonly { readonly part: number; readonly importance: number }[];
}

export interface Explanation {
  /** A row of training. */
  readonly user: number;
  readonly branches: readonly ExplainedBranch[];
  /** Best first. Nothing of any branch: the person is shown what is popular. */
  readonly items: readonly ExplainedItem[];
}

/** Explanations of users, in their order. */
export async function explainPeople(
  fitted: FittedFusion,
  task: Pick<EvaluationTask, 'train' | 'exclude' | 'k'>,
  users: readonly number[],
  { seed, signal }: Pick<FitContext, 'seed' | 'signal'>,
): Promise<readonly Explanation[]> {
  const options = { k: task.k, exclude: task.exclude, ...(signal === undefined ? {} : { signal }) };
  const whole = await fitted.explain(
    options,
    users.map((user) => ({ user })),
  );
  const asked = whole.map(({ items, user }) => ({ user, items }));
  const without = await Promise.all([
    lossesOf(fitted.without([ON_SITE]), options, asked, whole),
    ...(task.train.sources ?? []).map(async (source) => {
      const turns: Loss[][] = [];
      for (let turn = 0; turn < PERMUTATIONS; turn++) {
        const other = await fitted.replaceSource(permute(source, seed + turn));
        turns.push(await lossesOf(other, options, asked, whole));
      }
      return whole.map((_, n) => meanLoss(turns.map((turn) => turn[n]!)));
    }),
  ]);
  const names = fitted.branches.map(({ name }) => name);
  return whole.map((one, n) =>
    explanationOf(
      one,
      names,
      without.map((losses) => losses[n]!),
    ),
  );
}

interface Loss {
  /** Share of the list that is another. */
  readonly changed: number;
  /** Of each item of the list. */
  readonly scores: Float64Array;
}

const totals = ({ items, parts }: ExplainedPerson): Float64Array => {
  const branches = items.length === 0 ? 0 : parts.length / items.length;
  return Float64Array.from(items, (_, n) =>
    parts.subarray(n * branches, (n + 1) * branches).reduce((sum, part) => sum + part, 0),
  );
};

/** What each person's list loses where another model takes the place. */
async function lossesOf(
  other: FittedFusion,
  options: Parameters<FittedFusion['explain']>[0],
  asked: readonly AskedPerson[],
  whole: readonly ExplainedPerson[],
): Promise<Loss[]> {
  const explained = await other.explain(options, asked);
  return explained.map((own, n) => {
    const [before, after] = [totals(whole[n]!), totals(own)];
    const kept = new Set(own.list);
    const { list } = whole[n]!;
    const changed = list.filter((item) => !kept.has(item)).length / Math.max(1, list.length);
    return { changed, scores: before.map((score, at) => score - after[at]!) };
  });
}

function meanLoss(losses: readonly Loss[]): Loss {
  const mean = (of: (loss: Loss) => number): number =>
    losses.reduce((total, loss) => total + of(loss), 0) / losses.length;
  return {
    changed: mean(({ changed }) => changed),
    scores: losses[0]!.scores.map((_, at) => mean((l) => l.scores[at]!)),
  };
}

function explanationOf(one: ExplainedPerson, names: readonly string[], losses: readonly Loss[]): Explanation {
  const all = one.weights.reduce((total, weight) => total + weight, 0);
  const scores = totals(one);
  return {
    user: one.user,
    branches: names.map((name, m) => ({
      name,
      weight: all === 0 ? 0 : one.weights[m]! / all,
      by: m === 0 ? 'masking' : 'permutation',
      listChanged: losses[m]!.changed,
    })),
    items: Array.from(one.items, (item, n) => ({
      item,
      score: scores[n]!,
      branches: names.map((_, m) => ({
        part: one.parts[n * names.length + m]!,
        importance: losses[m]!.scores[n]!,
      })),
    })),
  };
}
