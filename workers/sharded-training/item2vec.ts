/** Owns the steps of item2vec in strata of two blocks of words each. */
import { AppError } from '../../shared/errors.ts';
import { composeItem2vec, item2vecParams, sgnsParamsOf } from '../../shared/numerics/models/item2vec.ts';
import { cutItem2vec, type StrataItem2vecParams } from '../../shared/numerics/models/item2vec-strata.ts';
import type { SgnsInput } from '../../shared/numerics/sgd/sgns.ts';
import {
  joinStrata,
  learnStratum,
  type Schedule,
  strataBefore,
  type StrataParams,
  type StratumVectors,
} from '../../shared/numerics/sgd/sgns-strata.ts';
import type { SparseRows } from '../../shared/numerics/types.ts';
import type { DatasetVersion, NamedArray } from '../../shared/store/ports.ts';
import type { RunContext } from '../runtime/processor.ts';
import {
  type Arrays,
  arraysOf,
  type Cut,
  type CutFacts,
  cutFacts,
  embeddingsOf,
  float32Of,
  int32Of,
  keysOf,
  type Learn,
  madeArrays,
  ofCut,
  readCut,
  STEPS_MAX,
  type Work,
} from './work.ts';

/** Rounds that a group of the pipeline holds. */
const ROUNDS_MAX = 500;
/** A round's strata, and the group of each of its sweeps. */
const BOUNDS = { stepsOf: (blocks: number) => blocks * (blocks + 1), stepsMax: STEPS_MAX, roundsMax: ROUNDS_MAX };

interface Item2vecFacts extends CutFacts {
  readonly params: StrataItem2vecParams;
  readonly schedule: Schedule;
  readonly users: number;
  readonly items: number;
  /** Whether draws are keyed by the people whose histories sequences are. */
  readonly keyed: boolean;
  readonly chanced: boolean;
}

const factsOf = ({ meta }: DatasetVersion): Item2vecFacts => meta as unknown as Item2vecFacts;
const sgnsOf = (params: StrataItem2vecParams): StrataParams => ({ ...sgnsParamsOf(params), blocks: params.blocks });

export async function loadItem2vecCut(cut: Cut, context: RunContext): Promise<Work> {
  const read = await readCut(cut, context);
  const given = item2vecParams.parse(read.params);
  return async (later) => {
    const view = await read.view(later);
    const { pool, signal } = later;
    const fit = { pool, signal, seed: cut.seed, deterministic: true };
    const { likes, params, schedule, skipGram } = await cutItem2vec(view, given, cut.blocks, BOUNDS, fit);
    const { chances, indptr, tokens } = skipGram.sequences;
    const facts: Item2vecFacts = {
      ...cutFacts(cut, view),
      params,
      schedule,
      users: likes.rows,
      items: likes.columns,
      keyed: skipGram.sequenceKeys !== undefined,
      chanced: chances !== undefined,
    };
    const arrays: NamedArray[] = [
      { name: 'subjects', data: view.userKeys },
      { name: 'itemKeys', data: view.itemKeys },
      { name: 'sequences.indptr', data: indptr },
      { name: 'sequences.tokens', data: tokens },
      { name: 'likes.indptr', data: likes.indptr },
      { name: 'likes.indices', data: likes.indices },
      { name: 'likes.values', data: likes.values },
    ];
    if (chances !== undefined)
      arrays.push({
        name: 'sequences.chances',
        data: new Int32Array(chances.buffer, chances.byteOffset, chances.length),
      });
    const rounds = params.epochs * schedule.roundsPerEpoch;
    return {
      kind: 'blocks',
      rows: likes.rows,
      arrays,
      meta: { ...facts },
      inputs: [cut.dataset],
      asOf: read.asOf,
      output: { strata: { blocks: schedule.blocks, rounds } },
    };
  };
}

/** What skip-gram learns from, as it was cut. */
async function skipGramOf(of: DatasetVersion, context: RunContext): Promise<SgnsInput> {
  const { chanced, items, keyed } = factsOf(of);
  const names = ['itemKeys', 'sequences.indptr', 'sequences.tokens'];
  if (keyed) names.push('subjects');
  if (chanced) names.push('sequences.chances');
  const arrays = await arraysOf(context, of, names);
  const chances = chanced ? int32Of(arrays, 'sequences.chances') : undefined;
  return {
    words: items,
    sequences: {
      indptr: int32Of(arrays, 'sequences.indptr'),
      tokens: int32Of(arrays, 'sequences.tokens'),
      chances: chances && new Uint32Array(chances.buffer, chances.byteOffset, chances.length),
    },
    wordKeys: keysOf(arrays, 'itemKeys'),
    ...(keyed && { sequenceKeys: keysOf(arrays, 'subjects') }),
  };
}

const vectorsOf = (arrays: Arrays): StratumVectors => ({
  inputs: float32Of(arrays, 'inputs'),
  outputs: float32Of(arrays, 'outputs'),
});

/** Strata of a sweep by block; of one that is complete. */
async function strataOf(
  versions: readonly string[],
  wanted: readonly number[],
  { blocks }: Schedule,
  context: RunContext,
): Promise<ReadonlyMap<number, StratumVectors>> {
  if (wanted.length > 0 && versions.length !== blocks)
    throw new AppError('INPUT_INVALID', {
      message: `A sweep has ${blocks} strata, not ${versions.length}.`,
      details: { field: 'before', blocks, strata: versions.length },
    });
  const strata = new Map<number, StratumVectors>();
  for (const block of wanted) strata.set(block, vectorsOf(await madeArrays(versions[block]!, context)));
  return strata;
}

export async function loadLearn(asked: Learn, of: DatasetVersion, context: RunContext): Promise<Work> {
  const { params, schedule, seed } = factsOf(of);
  const { block, round, sweep } = asked;
  const rounds = params.epochs * schedule.roundsPerEpoch;
  if (block >= schedule.blocks || sweep >= schedule.blocks || round >= rounds)
    throw new AppError('INPUT_INVALID', {
      message: `The cut has ${rounds} rounds of ${schedule.blocks} sweeps and blocks.`,
      details: { field: 'block', round, sweep, block, cut: asked.cut },
    });
  const needed = strataBefore(asked, schedule);
  const before = await strataOf(asked.before, needed, schedule, context);
  const input = await skipGramOf(of, context);
  return async ({ pool, signal }) => {
    const request = { input, params: sgnsOf(params), stratum: { block, round, sweep }, before };
    const { inputs, outputs } = await learnStratum(request, { pool, signal, seed });
    return {
      kind: 'blocks',
      rows: inputs.length,
      arrays: [
        { name: 'inputs', data: inputs },
        { name: 'outputs', data: outputs },
      ],
      meta: { round, sweep, block, cut: asked.cut },
      inputs: [asked.cut, ...needed.map((n) => asked.before[n]!)],
      ...ofCut(of),
      output: {},
    };
  };
}

export async function loadItem2vecJoin(
  asked: { readonly strata: readonly string[] },
  of: DatasetVersion,
  context: RunContext,
): Promise<Work> {
  const { items, params, schedule, seed, users } = factsOf(of);
  const all = Array.from({ length: schedule.blocks }, (_, n) => n);
  const last = await strataOf(asked.strata, all, schedule, context);
  const keys = await arraysOf(context, of, ['subjects', 'itemKeys', 'likes.indptr', 'likes.indices', 'likes.values']);
  const likes: SparseRows = {
    rows: users,
    columns: items,
    indptr: int32Of(keys, 'likes.indptr'),
    indices: int32Of(keys, 'likes.indices'),
    values: float32Of(keys, 'likes.values'),
  };
  return async ({ pool, signal }) => {
    const wordKeys = keysOf(keys, 'itemKeys');
    const vectors = await joinStrata({ words: items, wordKeys, params: sgnsOf(params), last }, { pool, signal, seed });
    const made = await composeItem2vec(
      { ...vectors, likes, popularityWeight: params.popularityWeight },
      { pool, signal },
    );
    const factors = { users: made.users.data, items: made.items.data, width: made.users.width };
    return embeddingsOf(of, { model: 'item2vec', keys, blocks: schedule.blocks, factors });
  };
}
