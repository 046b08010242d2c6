/**
 * Owns what an external source is worth: people whose histories were cut get it back from their ties or do not, people with whole histories
 * lose nothing by it, noise in its place changes nothing. `npm run bench -- sources TRAIN TEST TIES`: lines `user item [value]`, the same, and
 * `user user`. Parameters are chosen on a hashed tenth of the training lines, never on the test.
 */
import { computePool } from '../../shared/compute/pool.ts';
import { evaluateModel, measureModel, tuneModel } from '../../shared/numerics/evaluation/evaluate-model.ts';
import { type InteractionFile, readInteractions } from '../../shared/numerics/evaluation/interaction-file.ts';
import { linesOf } from '../../shared/numerics/evaluation/splits.ts';
import {
  type PreparedTask,
  prepareTask,
  type SourceFile,
  validationTask,
} from '../../shared/numerics/evaluation/task.ts';
import { findModel } from '../../shared/numerics/models/registry.ts';
import type { FitContext } from '../../shared/numerics/types.ts';
import { hashText, randomStream } from '../../shared/random.ts';
import { machine } from './interleave.ts';

const K = 10;
const SEED = 7;
/** What is left of a cut history. */
const KEPT = 2;
/** Whose histories are cut, and what is left of them. Nothing was chosen by any of these halves. */
const CUT_SEEDS = [1, 2, 3, 4, 5];
const NOISE_SEEDS = [1, 2, 3, 4, 5];
const NOISE = { keys: 200, perPerson: 10 };
const VALIDATION = { holdout: 0.1, seed: 1 };

export async function main([trainPath, testPath, tiesPath]: readonly string[]): Promise<void> {
  if (trainPath === undefined || testPath === undefined || tiesPath === undefined)
    throw new Error('USAGE: npm run bench -- sources TRAIN TEST TIES');
  const [train, test, ties] = await Promise.all([trainPath, testPath, tiesPath].map((path) => readInteractions(path)));
  const social: SourceFile = { name: 'social', kind: 'ties', file: ties! };
  await using pool = computePool({ threads: 2 });
  const context: FitContext = { pool, seed: SEED };
  console.log(machine());
  const files = { masks: [], k: K, sources: [social] };
  const whole = prepareTask({ ...files, train: train!, test: test! });
  for (const seed of CUT_SEEDS) {
    const isCut = cutPeople(seed);
    const cut = prepareTask({ ...files, train: cutHistories(train!, isCut, seed), test: only(test!, isCut) });
    await printGain(`histories of half ${seed} cut to ${KEPT} items`, cut, context, 'at least +15 %, interval above 0');
  }
  const { base } = await printGain('whole histories', whole, context, 'no worse than -1 %, or gate 0');
  await printBase(base, whole, context);
  for (const seed of NOISE_SEEDS) {
    const noise = { name: `noise-${seed}`, kind: 'features' as const, file: noiseOf(train!.users, seed) };
    await printNoise(prepareTask({ ...files, train: train!, test: test!, sources: [noise] }), context);
  }
}

const percent = (share: number): string => `${share > 0 ? '+' : ''}${(100 * share).toFixed(2)} %`;

async function printGain(title: string, { task }: PreparedTask, context: FitContext, bar: string) {
  const { evaluation } = await measureModel(findModel('fusion'), {}, task, context);
  const { gain, gate, weight } = evaluation.sources![0]!;
  const base = evaluation.ndcg - gain.difference;
  const range = gain.interval.map((end) => percent(end / base)).join(' .. ');
  console.log(`\n  ${title}, ${task.test.users.length} people: NDCG@${K} ${base.toFixed(4)} without the source`);
  console.log(`    with it ${percent(gain.difference / base)} (${range}); wanted: ${bar}`);
  console.log(`    gate ${gate}, mean weight ${weight.toFixed(3)}, ${evaluation.trainSeconds.toFixed(1)} s`);
  return { base };
}

/** The model without any source against EASE with its strength chosen on the validation part. */
async function printBase(base: number, whole: PreparedTask, context: FitContext): Promise<void> {
  const ease = findModel('ease');
  const trials = await tuneModel(ease, {}, validationTask(whole, VALIDATION, []), context);
  const best = trials[0]!.given;
  const { ndcg } = await evaluateModel(ease, best, whole.task, context);
  console.log(`\n  the base against EASE ${JSON.stringify(best)}: ${percent(base / ndcg - 1)}; wanted: within 2 %`);
}

async function printNoise({ task }: PreparedTask, context: FitContext): Promise<void> {
  const { ndcg, sources } = await evaluateModel(findModel('fusion'), {}, task, context);
  const { gate, name, permutation, weight } = sources![0]!;
  const change = percent(-permutation / ndcg);
  console.log(`  ${name}: rows permuted ${change}, gate ${gate}, mean weight ${weight.toFixed(3)}; wanted: within 1 %`);
}

/** Half of the people, by a hash of their id. */
function cutPeople(seed: number): (user: string) => boolean {
  const root = randomStream(seed, 'bench-cut');
  return (user) => root.derive(hashText(user)).uniform() < 0.5;
}

/** The first lines by hash of each cut person, all lines of the others. */
function cutHistories(file: InteractionFile, isCut: (user: string) => boolean, seed: number): InteractionFile {
  const root = randomStream(seed, 'bench-kept');
  const chance = (n: number) => root.derive(hashText(file.users[n]!), hashText(file.items[n]!)).uniform();
  const places = file.users.map((_, n) => n);
  const own = Map.groupBy(places, (n) => file.users[n]!);
  const kept = [...own].flatMap(([user, lines]) =>
    isCut(user) ? lines.toSorted((a, b) => chance(a) - chance(b)).slice(0, KEPT) : lines,
  );
  return linesOf(
    file,
    kept.toSorted((a, b) => a - b),
  );
}

function only(file: InteractionFile, isMeant: (user: string) => boolean): InteractionFile {
  return linesOf(
    file,
    file.users.flatMap((user, n) => (isMeant(user) ? [n] : [])),
  );
}

/** Features that say nothing. */
function noiseOf(people: readonly string[], seed: number): InteractionFile {
  const stream = randomStream(seed, 'bench-noise');
  const users = [...new Set(people)].flatMap((user) => Array.from({ length: NOISE.perPerson }, () => user));
  return {
    users,
    items: users.map(() => `key${stream.below(NOISE.keys)}`),
    values: new Float64Array(users.length).fill(1),
    times: new Float64Array(users.length).fill(Number.NaN),
  };
}
