/**
 * Owns the table of accuracy: every model with its defaults on the same data, its seconds, and the paired difference to EASE; at random and by
 * time; and the curve of accuracy against the tail, for prototypes and for plain factorisation. `npm run bench -- accuracy FOLDER [MODEL...]`,
 * where FOLDER has train.tsv, valid.tsv and test.tsv of `user item value time` lines. Trained on train, masked by train, the whole catalogue
 * ranked at 10.
 */
import { join } from 'node:path';
import { computePool } from '../../shared/compute/pool.ts';
import type { Difference } from '../../shared/numerics/evaluation/compare.ts';
import {
  compareMeasured,
  type EvaluationTask,
  type Measured,
  measureModel,
} from '../../shared/numerics/evaluation/evaluate-model.ts';
import { type InteractionFile, readInteractions } from '../../shared/numerics/evaluation/interaction-file.ts';
import { splitInteractions } from '../../shared/numerics/evaluation/splits.ts';
import { prepareTask } from '../../shared/numerics/evaluation/task.ts';
import { findModel, type Model, MODEL_NAMES } from '../../shared/numerics/models/registry.ts';
import type { FittedDense } from '../../shared/numerics/models/tensorflow/dense-fit.ts';
import { liftRare } from '../../shared/numerics/models/tensorflow/proto-mf.ts';
import { rankByFactors } from '../../shared/numerics/ranking/rank-factors.ts';
import { sharedFloat32 } from '../../shared/numerics/sparse.ts';
import type { FitContext } from '../../shared/numerics/types.ts';
import { machine } from './interleave.ts';
import { nativeTensorFlow } from './native-tensorflow.ts';

const K = 10;
const TIME_SHARE = 0.1;
const REFERENCE = 'ease';
/** Models whose figures need more than interactions. */
const WITHOUT = new Set(['fusion']);
/** How much the little known are lifted, for prototypes and for plain factorisation: what the lift does alone is told apart from them. */
const LIFTS = [0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 1];
/** Plain factorisation with the same loss and the same course of training, at its best on validation parts. */
export const PLAIN = { variant: 'none', weightDecay: 4, dimensions: 64, learningRate: 0.02, lift: 0 };

interface Row {
  readonly model: string;
  readonly ndcg: number;
  readonly recall: number;
  readonly tailShare: number | null;
  readonly gini: number | null;
  readonly seconds: number;
  readonly difference: Difference | undefined;
}

export async function main([folder, ...names]: readonly string[]): Promise<void> {
  if (folder === undefined) throw new Error('USAGE: npm run bench -- accuracy FOLDER [MODEL...]');
  const [train, valid, test] = await Promise.all(
    ['train', 'valid', 'test'].map((name) => readInteractions(join(folder, `${name}.tsv`))),
  );
  const all = joined([train!, valid!, test!]);
  const byTime = splitInteractions(all, { split: 'time', share: TIME_SHARE, seed: 1 });
  const tasks = {
    'at random': prepareTask({ train: train!, test: test!, masks: [], k: K }).task,
    'by time': prepareTask({ train: byTime.train, test: byTime.test, masks: [], k: K }).task,
  };
  await using pool = computePool({ threads: 2 });
  const context: FitContext = { pool, seed: 1, tensorflow: nativeTensorFlow() };
  console.log(machine());
  const results: Record<string, readonly Row[]> = {};
  const chosen = names.length === 0 ? MODEL_NAMES.filter((name) => !WITHOUT.has(name)) : names;
  for (const [title, task] of Object.entries(tasks)) {
    const variants = chosen.map((name) => ({ name, model: findModel(name), params: {} }));
    const reference = { name: REFERENCE, model: findModel(REFERENCE), params: {} };
    results[title] = await table(title, variants, reference, task, context);
  }
  if (chosen.includes('proto-mf')) {
    const plain = await liftable(PLAIN, tasks['at random'], context);
    const prototypes = await liftable({}, tasks['at random'], context);
    const variants = Object.entries({ prototypes, plain }).flatMap(([kind, model]) =>
      LIFTS.map((lift) => ({ name: `${kind}, lift ${lift}`, model, params: { lift } })),
    );
    const base = { name: 'plain factorisation', model: plain, params: { lift: 0 } };
    results['prototypes'] = await table('prototypes, at random', variants, base, tasks['at random'], context);
  }
  console.log(JSON.stringify(results));
}

interface Variant {
  readonly name: string;
  readonly model: Model;
  readonly params: object;
}

/** Trained once: a lift changes nothing that is learned. Its time of training is nothing, therefore. */
async function liftable(params: object, { train }: EvaluationTask, context: FitContext): Promise<Model> {
  const model = findModel('proto-mf');
  const fitted = (await model.fit(train, { ...params, lift: 0 }, context)) as FittedDense;
  const { items, users } = fitted.factors;
  const counts = new Int32Array(items.rows);
  for (const item of train.interactions.indices) counts[item]!++;
  return {
    ...model,
    fit: async (_, given) => {
      const lifted = { ...items, data: sharedFloat32(items.data.length, items.data) };
      liftRare(lifted, counts, (given as { readonly lift: number }).lift);
      const { itemKeys, userKeys } = train;
      return {
        ...fitted,
        rank: (options) => rankByFactors({ users, items: lifted, userKeys, itemKeys }, options, context),
      };
    },
  };
}

async function table(
  title: string,
  variants: readonly Variant[],
  reference: Variant,
  task: EvaluationTask,
  context: FitContext,
): Promise<readonly Row[]> {
  console.log(
    `\n  ${title}: ${task.test.users.length + (task.newcomers?.test.users.length ?? 0)} people, against ${reference.name}`,
  );
  const base = await measureModel(reference.model, reference.params, task, context);
  const rows = [print(reference.name, base, undefined)];
  for (const { model, name, params } of variants) {
    if (name === reference.name) continue;
    const measured = await measureModel(model, params, task, context);
    const differences = await compareMeasured(measured, base, context);
    rows.push(
      print(
        name,
        measured,
        differences.find(({ metric }) => metric === 'ndcg'),
      ),
    );
  }
  return rows;
}

function print(name: string, { evaluation }: Measured, difference: Difference | undefined): Row {
  const { breakdown, ndcg, recall, trainSeconds } = evaluation;
  const { gini, tailShare } = breakdown;
  const range = difference?.interval.map((end) => `${end > 0 ? '+' : ''}${end.toFixed(4)}`).join(' .. ') ?? '';
  const figures = [ndcg, recall, tailShare ?? Number.NaN, gini ?? Number.NaN].map((value) =>
    value.toFixed(4).padStart(8),
  );
  console.log(`  ${name.padEnd(24)}${figures.join('')}${trainSeconds.toFixed(1).padStart(9)} s   ${range}`);
  return { model: name, ndcg, recall, tailShare, gini, seconds: trainSeconds, difference };
}

function joined(files: readonly InteractionFile[]): InteractionFile {
  return {
    users: files.flatMap(({ users }) => users),
    items: files.flatMap(({ items }) => items),
    values: Float64Array.from(files.flatMap(({ values }) => [...values])),
    times: Float64Array.from(files.flatMap(({ times }) => [...times])),
  };
}
