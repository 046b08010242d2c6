/** Owns reading what `millrace evaluate` measures on: files, splits of a file, folds, masks and groups. */
import { AppError } from '../../shared/errors.ts';
import type { Dataset } from '../../shared/numerics/evaluation/dataset.ts';
import type { EvaluationTask } from '../../shared/numerics/evaluation/evaluate-model.ts';
import {
  type InteractionFile,
  partLikings,
  readInteractions,
} from '../../shared/numerics/evaluation/interaction-file.ts';
import { type Parts, type SplitName, SPLITS, splitInteractions } from '../../shared/numerics/evaluation/splits.ts';
import { prepareTask, type SourceFile, validationTask } from '../../shared/numerics/evaluation/task.ts';
import { ON_SITE } from '../../shared/numerics/models/fusion.ts';
import { finiteNumber, wholeNumber } from './numbers.ts';

export interface DataOptions {
  readonly train: string;
  readonly test?: string;
  readonly split?: string;
  readonly share: string;
  readonly folds?: string;
  readonly maturity?: string;
  readonly groups?: string;
  readonly source: readonly string[];
  readonly explain: readonly string[];
  readonly itemFacts?: string;
  readonly userFacts?: string;
  readonly k: string;
  readonly exclude: readonly string[];
  readonly valid?: string;
  readonly likedFrom?: string;
  readonly seed: string;
}

export interface EvaluateTask {
  readonly final: EvaluationTask;
  /** With `--tune`. */
  readonly validation: EvaluationTask | undefined;
  readonly dataset: Dataset;
}

/** Share of the training interactions that `--tune` holds out when there is no `--valid`. */
const TUNE_HOLDOUT = 0.1;
const TUNE_SEED = 1;
const FOLDS_MAX = 100;

interface Asked {
  readonly seed: number;
  readonly tune: boolean;
}

/** One task, or one for each fold. */
export async function readTasks(options: DataOptions, asked: Asked): Promise<readonly EvaluateTask[]> {
  const k = wholeNumber('k', options.k, 1, 10_000);
  const likedFrom = options.likedFrom === undefined ? -Infinity : finiteNumber('liked-from', options.likedFrom);
  const split = checkSplit(options);
  const read = async (path: string) => partLikings(await readInteractions(path, { signed: true }), likedFrom);
  const train = await read(options.train);
  const test = options.test === undefined ? undefined : await read(options.test);
  const valid = options.valid === undefined ? undefined : await read(options.valid);
  const masks = [train.others];
  for (const path of options.exclude) masks.push(await readInteractions(path, { signed: true }));
  const groups = options.groups === undefined ? undefined : await readInteractions(options.groups);
  const facts = {
    users: options.userFacts === undefined ? undefined : await readInteractions(options.userFacts),
    items: options.itemFacts === undefined ? undefined : await readInteractions(options.itemFacts),
  };
  const sources: SourceFile[] = [];
  for (const { path, ...source } of options.source.map(parseSource))
    sources.push({ ...source, file: await readInteractions(path) });
  const files =
    test === undefined ? splitFiles(train.likings, split!, asked.seed) : [whole(train.likings, test.likings)];
  return files.map((parts) => {
    const { histories, unsettled } = parts;
    const prepared = prepareTask({
      train: parts.train,
      test: parts.test,
      masks: [...masks, unsettled],
      k,
      ...(histories.users.length === 0 ? {} : { histories }),
      ...(groups === undefined ? {} : { groups }),
      ...(sources.length === 0 ? {} : { sources }),
      ...(facts.users === undefined && facts.items === undefined ? {} : { facts }),
      ...(options.explain.length === 0 ? {} : { explain: options.explain }),
    });
    const from = valid === undefined ? { holdout: TUNE_HOLDOUT, seed: TUNE_SEED } : { valid: valid.likings };
    const validation = asked.tune ? validationTask(prepared, from, [train.others]) : undefined;
    return { final: prepared.task, validation, dataset: prepared.dataset };
  });
}

/** `name=ties:file` or `name=features:file`. */
function parseSource(text: string): Omit<SourceFile, 'file'> & { readonly path: string } {
  const [, name, kind, path] = /^([a-z][a-z0-9-]*)=(ties|features):(.+)$/.exec(text) ?? [];
  if (name === undefined || path === undefined || name === ON_SITE)
    throw usage(`--source must be NAME=ties:FILE or NAME=features:FILE, not ${text}.`);
  return { name, kind: kind as SourceFile['kind'], path };
}

const NONE: InteractionFile = { users: [], items: [], values: new Float64Array(0), times: new Float64Array(0) };

function whole(train: InteractionFile, test: InteractionFile): Parts {
  return { train, test, histories: NONE, unsettled: NONE };
}

interface Split {
  readonly split: SplitName;
  readonly share: number;
  readonly folds: number;
  readonly maturity: number;
}

/** @throws AppError USAGE unless there is either a test file or a split, and the split's options suit it. */
function checkSplit(options: DataOptions): Split | undefined {
  const { folds, maturity, split: name, test } = options;
  if ((test === undefined) === (name === undefined)) throw usage('Give either --test or --split.');
  if (name === undefined) {
    if (folds !== undefined || maturity !== undefined) throw usage('--folds and --maturity go with --split.');
    return undefined;
  }
  const split = SPLITS.find((known) => known === name);
  if (split === undefined) throw usage(`--split must be one of ${SPLITS.join(', ')}, not ${name}.`);
  if (folds !== undefined && split !== 'random') throw usage('--folds goes with --split random.');
  if (maturity !== undefined && split !== 'time') throw usage('--maturity goes with --split time.');
  const share = finiteNumber('share', options.share);
  if (!(share > 0 && share < 1)) throw usage(`--share must lie between 0 and 1, not at ${options.share}.`);
  const window = maturity === undefined ? 0 : finiteNumber('maturity', maturity);
  if (window < 0) throw usage('--maturity must not be below 0.');
  return { split, share, folds: folds === undefined ? 1 : wholeNumber('folds', folds, 2, FOLDS_MAX), maturity: window };
}

function splitFiles(file: InteractionFile, { folds, ...how }: Split, seed: number): Parts[] {
  if (folds === 1) return [splitInteractions(file, { ...how, seed })];
  return Array.from({ length: folds }, (_, at) => splitInteractions(file, { ...how, seed, fold: { at, of: folds } }));
}

function usage(message: string): AppError {
  return new AppError('USAGE', { message });
}
