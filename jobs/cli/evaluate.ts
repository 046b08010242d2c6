/**
 * Owns `millrace evaluate`: train a model on a file of interactions, rank the whole catalogue, measure on another file or on a split of
 * the same one, alone or against a second model. Needs no Redis and no MongoDB. Parameters are chosen on a validation set, never on the test.
 */
import { availableParallelism, homedir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { computePool } from '../../shared/compute/pool.ts';
import type { OnProgress } from '../../shared/compute/task.ts';
import { AppError } from '../../shared/errors.ts';
import {
  compareMeasured,
  type EvaluationTask,
  type Measured,
  measureModel,
  type Trial,
  tuneModel,
} from '../../shared/numerics/evaluation/evaluate-model.ts';
import { poolFolds } from '../../shared/numerics/evaluation/pool-folds.ts';
import { SPLITS } from '../../shared/numerics/evaluation/splits.ts';
import { findModel, MODEL_NAMES, type Model } from '../../shared/numerics/models/registry.ts';
import { nativePackagePath } from '../../shared/numerics/models/tensorflow/engine.ts';
import type { FitContext } from '../../shared/numerics/types.ts';
import { type Evaluated, printResult } from './evaluate-report.ts';
import { type DataOptions, readTasks } from './evaluate-task.ts';
import { wholeNumber } from './numbers.ts';
import { duration } from './output.ts';
import { progressBar } from './progress-bar.ts';

interface Options extends DataOptions {
  readonly model: string;
  readonly params: string;
  readonly against?: string;
  readonly againstParams: string;
  readonly tune?: true;
  readonly json?: true;
  readonly threads?: string;
  readonly deterministic?: true;
  readonly memory: string;
}

export function registerEvaluate(program: Command): void {
  program
    .command('evaluate')
    .description('train a model on one file of `user item [value] [time]` lines and measure it on another')
    .requiredOption('--train <file>', 'interactions to learn from; never recommended again')
    .option('--test <file>', 'interactions to find; or --split')
    .option('--split <name>', `instead of --test, part the training file: ${SPLITS.join(', ')}`)
    .option('--share <number>', '--split: share to find (strong: of the people, and of their lines)', '0.2')
    .option('--folds <number>', '--split random: cross-validation, each line tested once')
    .option(
      '--maturity <number>',
      "--split time: how long a label takes to be known, in the file's unit of time; younger ones are neither learned from nor tested",
    )
    .option('--model <name>', MODEL_NAMES.join(', '), 'ials')
    .option('--params <json>', 'parameters of the model, defaults for the rest', '{}')
    .option('--against <name>', 'a second model, compared person by person')
    .option('--against-params <json>', 'its parameters', '{}')
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
    .option('--groups <file>', '`user group` lines: figures of each group (default: by length of history)')
    .option(
      '--source <name=kind:file>',
      'for --model fusion, repeatable: what another source knows; kind `ties` (`user user` lines) or `features` (`user key [value]` lines)',
      (source: string, all: string[]) => [...all, source],
      [],
    )
    .option('--item-facts <file>', '`item feature [value]` lines: genres, creators; read by two-tower')
    .option('--user-facts <file>', '`user feature [value]` lines of what people allow; read by two-tower')
    .option(
      '--explain <user...>',
      'with --source: why this person is shown what they are shown, by branch; repeatable',
      (user: string, all: string[]) => [...all, user],
      [],
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

interface Asked {
  readonly model: Model;
  readonly params: Readonly<Record<string, unknown>>;
}

/** Everything is checked before any data is read, and all data before any work starts. */
async function evaluate(options: Options, signal: AbortSignal): Promise<void> {
  const asked = [await ask(options.model, options.params, 'params')];
  if (options.against !== undefined) asked.push(await ask(options.against, options.againstParams, 'against-params'));
  const threads =
    options.threads === undefined ? availableParallelism() : wholeNumber('threads', options.threads, 1, 64);
  const seed = wholeNumber('seed', options.seed, 0, 2 ** 32 - 1);
  const memoryBytesMax = wholeNumber('memory', options.memory, 1, 4096) * 2 ** 20;
  if (options.explain.length > 0 && (options.model !== 'fusion' || options.source.length === 0))
    throw new AppError('USAGE', { message: '--explain goes with --model fusion and --source.' });
  const tasks = await readTasks(options, {
    seed,
    tune: options.tune === true,
  });
  await using pool = computePool({ threads });
  const deterministic = options.deterministic === true;
  const tensorflow = { nativePath: nativeTensorFlow() };
  const context: FitContext = { pool, seed, signal, memoryBytesMax, deterministic, tensorflow };
  const silent = options.json === true;
  const done: Evaluated[] = [];
  for (const { model, params } of asked) {
    const trials = await tune(model, params, tasks[0]!.validation, context, silent);
    const best = trials?.[0]?.given ?? params;
    done.push({
      ...(await measureAll(
        model,
        best,
        tasks.map(({ final }) => final),
        context,
        silent,
      )),
      trials,
    });
  }
  const [first, second] = done as [Evaluated, Evaluated?];
  const against =
    second === undefined
      ? undefined
      : { ...second, differences: await compareMeasured(first.measured, second.measured, context) };
  printResult(first, against, tasks, silent);
}

async function ask(name: string, params: string, option: string): Promise<Asked> {
  const model = findModel(name);
  const given = parseJson(params, option);
  await model.parseParams(given);
  return { model, params: given };
}

/** Every task in turn; several are the folds of one cross-validation. */
async function measureAll(
  model: Model,
  params: unknown,
  tasks: readonly EvaluationTask[],
  context: FitContext,
  silent: boolean,
): Promise<{ readonly measured: Measured; readonly folds: readonly Measured[] }> {
  const folds: Measured[] = [];
  for (const [n, task] of tasks.entries()) {
    const title = tasks.length === 1 ? model.name : `${model.name}, fold ${n + 1} of ${tasks.length}`;
    const bar = progressBar({ title, silent });
    const onProgress: OnProgress = ({ done, total, label }) => bar.update(done, total, `${done}/${total} ${label}`);
    const measured = await measureModel(model, params, task, { ...context, onProgress });
    const { scoreSeconds, trainSeconds } = measured.evaluation;
    bar.end(duration((trainSeconds + scoreSeconds) * 1000));
    folds.push(measured);
  }
  return { measured: await poolFolds(folds, context), folds };
}

async function tune(
  model: Model,
  params: Readonly<Record<string, unknown>>,
  validation: EvaluationTask | undefined,
  context: FitContext,
  silent: boolean,
): Promise<readonly Trial[] | undefined> {
  if (validation === undefined) return undefined;
  const bar = progressBar({ title: `tune ${model.name}`, silent });
  const trials = await tuneModel(model, params, validation, context, (trial, done, total) =>
    bar.update(done, total, `${done}/${total} trials, ndcg ${trial.ndcg.toFixed(4)}`),
  );
  bar.end(`best ndcg ${trials[0]!.ndcg.toFixed(4)}`);
  return trials;
}

/** `MILLRACE_TFJS_NATIVE`, else where `npm run setup:native` builds it. A missing one costs speed, not the run. */
function nativeTensorFlow(): string {
  const cacheFolder = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache');
  return nativePackagePath({ override: process.env.MILLRACE_TFJS_NATIVE, cacheFolder });
}

function parseJson(text: string, option: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new AppError('USAGE', { message: `--${option} is not JSON: ${(cause as Error).message}.`, cause });
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new AppError('USAGE', { message: `--${option} must be a JSON object.` });
}
