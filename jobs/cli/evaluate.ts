/**
 * Owns `millrace evaluate`: train a model on a file of interactions, rank the whole catalogue, measure on another file. Needs no
 * Redis and no MongoDB. Parameters are chosen on a validation set, never on the test file.
 */
import { availableParallelism, homedir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { computePool } from '../../shared/compute/pool.ts';
import type { OnProgress } from '../../shared/compute/task.ts';
import { AppError } from '../../shared/errors.ts';
import {
  buildDataset,
  type Dataset,
  exclusions,
  newcomerExclusions,
  testItems,
  type TestSet,
} from '../../shared/numerics/evaluation/dataset.ts';
import {
  type Evaluation,
  type EvaluationTask,
  evaluateModel,
  type Trial,
  tuneModel,
} from '../../shared/numerics/evaluation/evaluate-model.ts';
import { holdoutSplit } from '../../shared/numerics/evaluation/holdout.ts';
import {
  type InteractionFile,
  partLikings,
  readInteractions,
} from '../../shared/numerics/evaluation/interaction-file.ts';
import { findModel, MODEL_NAMES, type Model } from '../../shared/numerics/models/registry.ts';
import { nativePackagePath } from '../../shared/numerics/models/tensorflow/engine.ts';
import type { FitContext } from '../../shared/numerics/types.ts';
import { duration } from './output.ts';
import { progressBar } from './progress-bar.ts';

interface Options {
  readonly train: string;
  readonly test: string;
  readonly model: string;
  readonly params: string;
  readonly k: string;
  readonly exclude: readonly string[];
  readonly valid?: string;
  readonly likedFrom?: string;
  readonly tune?: true;
  readonly json?: true;
  readonly threads?: string;
  readonly seed: string;
  readonly deterministic?: true;
  readonly memory: string;
}

/** Share of the training interactions that `--tune` holds out when there is no `--valid`. */
const TUNE_HOLDOUT = 0.1;
const TRIALS_SHOWN_MAX = 10;
/** Models that cannot learn from negative values: refused where the file is read, with its line. */
const WITHOUT_DISLIKES: ReadonlySet<string> = new Set(['item-knn', 'graph-filter']);

export function registerEvaluate(program: Command): void {
  program
    .command('evaluate')
    .description('train a model on one file of `user item [value] [time]` lines and measure it on another')
    .requiredOption('--train <file>', 'interactions to learn from; never recommended again')
    .requiredOption('--test <file>', 'interactions to find')
    .option('--model <name>', MODEL_NAMES.join(', '), 'ials')
    .option('--params <json>', 'parameters of the model, defaults for the rest', '{}')
    .option('--k <number>', 'length of the lists', '20')
    .option(
      '--exclude <file...>',
      'further interactions never to recommend',
      (file: string, all: string[]) => [...all, file],
      [],
    )
    .option(
      '--liked-from <value>',
      'lines below this value are no likings: never recommended, not learned from, not to be found (default: every line is one, a rating of 1 too)',
    )
    .option('--valid <file>', 'interactions that --tune measures on; never masked')
    .option('--tune', 'choose parameters on --valid, or on a tenth of the training interactions')
    .option('--json', 'print one JSON object and nothing else')
    .option('--threads <number>', 'threads to compute with (default: the cores)')
    .option('--seed <number>', 'seed of every draw', '1')
    .option('--deterministic', 'use plain SIMD: the same bytes on every CPU')
    .option('--memory <MiB>', 'bound on shared memory', '2048')
    .action(async (_own: unknown, command: Command) => {
      // The program may have a --json of its own; it then takes the flag wherever it stands.
      const options = command.optsWithGlobals<Options>();
      const stop = new AbortController();
      const interrupt = () => stop.abort(new AppError('CANCELLED', { message: 'Interrupted.' }));
      process.once('SIGINT', interrupt);
      try {
        await evaluate(options, stop.signal);
      } finally {
        process.off('SIGINT', interrupt);
      }
    });
}

/** Everything is checked before any data is read, and all data before any work starts. */
async function evaluate(options: Options, signal: AbortSignal): Promise<void> {
  const model = findModel(options.model);
  const params = parseJson(options.params);
  await model.parseParams(params);
  const k = wholeNumber('k', options.k, 1, 10_000);
  const threads =
    options.threads === undefined ? availableParallelism() : wholeNumber('threads', options.threads, 1, 64);
  const seed = wholeNumber('seed', options.seed, 0, 2 ** 32 - 1);
  const memoryBytesMax = wholeNumber('memory', options.memory, 1, 4096) * 2 ** 20;

  const likedFrom = options.likedFrom === undefined ? -Infinity : finite('liked-from', options.likedFrom);

  const task = await readTask(options, k, likedFrom);
  await using pool = computePool({ threads });
  const deterministic = options.deterministic === true;
  const tensorflow = { nativePath: nativeTensorFlow() };
  const context: FitContext = { pool, seed, signal, memoryBytesMax, deterministic, tensorflow };
  const silent = options.json === true;
  const trials = options.tune ? await tune(model, params, task, context, silent) : undefined;
  const best = trials?.[0]?.given ?? params;
  const bar = progressBar({ title: model.name, silent });
  const onProgress: OnProgress = ({ done, total, label }) => bar.update(done, total, `${done}/${total} ${label}`);
  const result = await evaluateModel(model, best, task.final, { ...context, onProgress });
  bar.end(duration((result.trainSeconds + result.scoreSeconds) * 1000));
  printResult(result, task, trials, silent);
}

interface Task {
  readonly final: EvaluationTask;
  readonly validation: EvaluationTask | undefined;
  readonly dataset: Dataset;
}

async function readTask(options: Options, k: number, likedFrom: number): Promise<Task> {
  const signed = { signed: !WITHOUT_DISLIKES.has(options.model) };
  const read = async (path: string, how: { readonly signed: boolean }) =>
    partLikings(await readInteractions(path, how), likedFrom);
  const train = await read(options.train, signed);
  const test = await read(options.test, { signed: true });
  const valid = options.valid === undefined ? undefined : await read(options.valid, { signed: true });
  const masks = [train.others];
  for (const path of options.exclude) masks.push(await readInteractions(path, { signed: true }));
  const dataset = buildDataset(train.likings);
  const found = testItems(dataset, test.likings);
  if (found.items.users.length + found.newcomers.ids.length === 0) {
    throw new AppError('DATASET_EMPTY', { message: `${options.test} has no interactions.` });
  }
  const final = { train: dataset.train, ...measured(dataset, found, masks), k };
  if (!options.tune) return { final, validation: undefined, dataset };
  if (valid !== undefined) {
    const validation = { ...final, ...measured(dataset, testItems(dataset, valid.likings), [train.others]) };
    return { final, validation, dataset };
  }
  const { interactions, itemKeys, userKeys } = dataset.train;
  const split = holdoutSplit(interactions, TUNE_HOLDOUT, 1, userKeys, itemKeys);
  const validation = {
    train: { ...dataset.train, interactions: split.train },
    exclude: exclusions({ ...dataset, train: { ...dataset.train, interactions: split.train } }, [train.others]),
    test: split.test,
    k,
  };
  return { final, validation, dataset };
}

/** What is measured, and what may not be recommended there. */
function measured(
  dataset: Dataset,
  { items, newcomers }: TestSet,
  masks: readonly InteractionFile[],
): Pick<EvaluationTask, 'exclude' | 'test' | 'newcomers'> {
  return {
    exclude: exclusions(dataset, masks),
    test: items,
    newcomers: { ...newcomers, exclude: newcomerExclusions(dataset, newcomers.ids, masks) },
  };
}

async function tune(
  model: Model,
  params: Readonly<Record<string, unknown>>,
  { validation }: Task,
  context: FitContext,
  silent: boolean,
): Promise<readonly Trial[]> {
  if (validation === undefined) return [];
  const bar = progressBar({ title: `tune ${model.name}`, silent });
  const trials = await tuneModel(model, params, validation, context, (trial, done, total) =>
    bar.update(done, total, `${done}/${total} trials, ndcg ${trial.ndcg.toFixed(4)}`),
  );
  bar.end(`best ndcg ${trials[0]!.ndcg.toFixed(4)}`);
  return trials;
}

function printResult(
  result: Evaluation,
  { dataset, final }: Task,
  trials: readonly Trial[] | undefined,
  json: boolean,
): void {
  const facts = {
    ...result,
    items: dataset.itemIds.length,
    interactions: final.train.interactions.indices.length,
    newUsers: final.newcomers?.test.users.length ?? 0,
    ...(trials === undefined
      ? {}
      : { trials: trials.slice(0, TRIALS_SHOWN_MAX).map(({ params, ndcg, recall }) => ({ params, ndcg, recall })) }),
  };
  if (json) {
    console.log(JSON.stringify(facts));
    return;
  }
  const row = (name: string, value: number, interval?: readonly [number, number]) => {
    const range = interval === undefined ? '' : `   ${interval.map((end) => end.toFixed(4)).join(' .. ')}`;
    console.log(`  ${`${name}@${result.k}`.padEnd(14)}${value.toFixed(4)}${range}`);
  };
  console.log(
    `${result.model} on ${facts.interactions} interactions of ${facts.items} items, ${result.users} users to test`,
  );
  row('ndcg', result.ndcg, result.intervals.ndcg);
  row('recall', result.recall, result.intervals.recall);
  for (const name of ['precision', 'map', 'mrr', 'hitRate', 'coverage'] as const) row(name, result[name]);
  const times = `trained in ${result.trainSeconds.toFixed(2)} s, ranked in ${result.scoreSeconds.toFixed(2)} s`;
  console.log(`  ${times} (${result.threads} threads, ${result.engine})`);
  console.log(`  --model ${result.model} --params '${JSON.stringify(result.params)}'`);
  console.log(JSON.stringify(facts));
}

/** `MILLRACE_TFJS_NATIVE`, else where `npm run setup:native` builds it. A missing one costs speed, not the run. */
function nativeTensorFlow(): string {
  const cacheFolder = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache');
  return nativePackagePath({ override: process.env.MILLRACE_TFJS_NATIVE, cacheFolder });
}

function parseJson(text: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new AppError('USAGE', { message: `--params is not JSON: ${(cause as Error).message}.`, cause });
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new AppError('USAGE', { message: '--params must be a JSON object.' });
}

function finite(name: string, text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value)) return value;
  throw new AppError('USAGE', {
    message: `--${name} must be a number, not ${text}.`,
    details: { option: name, value: text },
  });
}

function wholeNumber(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (/^[0-9]+$/.test(text) && value >= least && value <= most) return value;
  throw new AppError('USAGE', {
    message: `--${name} must be a whole number from ${least} to ${most}, not ${text}.`,
    details: { option: name, value: text },
  });
}
