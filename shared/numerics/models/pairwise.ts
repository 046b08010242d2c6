/**
 * Owns the fits of BPR and WARP: stochastic gradient descent on pairs of items, on the fixed schedule of ../sgd/strata.ts. Score = user
 * factors . item factors + the item's bias.
 *
 * BPR minimises sum over interactions of -ln sigma(x_ui - x_uj), j a drawn negative (Rendle et al., UAI 2009). WARP draws until an item
 * violates the margin, and weighs the hinge by ln(max(1, floor((n - 1) / tries))), capped (Weston, Bengio, Usunier, IJCAI 2011):
 * tries within a block of the catalogue estimate the share of items above, as tries within the whole would.
 * Both decay what a step moves. A negative value is a dislike: it has to stay below a drawn unseen item. Complexity per
 * epoch: interactions * factors (WARP: times the tries).
 */
import { AppError } from '../../errors.ts';
import { randomStream } from '../../random.ts';
import { runEpochs } from '../engine/epochs.ts';
import { loadEngine } from '../engine/load.ts';
import { i32, type Region } from '../engine/memory.ts';
import { MemoryState } from '../engine/memory-state.ts';
import { sharedPhase } from '../engine/work-sharing.ts';
import { isWeighed } from '../interactions/evidence.ts';
import { rankByFactors } from '../ranking/rank-factors.ts';
import { layOutPairwise, type PairwiseLayout, type PairwiseSettings } from '../sgd/pairwise-layout.ts';
import { blockCount } from '../sgd/strata.ts';
import { sharedFloat32 } from '../sparse.ts';
import type { DenseRows, Factors, FitContext, FittedModel, TrainInput } from '../types.ts';
import { ADOPT, adoptedFactors } from './warm-start.ts';
import type { PairwiseShared, PairwiseSweep } from './pairwise.task.ts';
import { type BprParams, type PairwiseParams, resolveWarpDecays, type WarpParams } from './pairwise-params.ts';

const TASKS = new URL('./pairwise.task.ts', import.meta.url).href;

/** Draws after which BPR passes an interaction over because all were refused. */
const BPR_DRAWS_MAX = 32;

/**
 * Same input, parameters and seed give the same bytes for any number of threads.
 * @throws AppError NUMERICS_INPUT_INVALID, DATASET_EMPTY, NUMERICS_MEMORY_LIMIT (before any work), CANCELLED, KERNEL_MISSING,
 * MODEL_PARAMS_INVALID when the factors grew beyond float32.
 */
export const fitBpr = (input: TrainInput, params: BprParams, context: FitContext): Promise<FittedModel> =>
  fitPairwise('bpr', input, params, context);

/** As fitBpr. */
export const fitWarp = (input: TrainInput, params: WarpParams, context: FitContext): Promise<FittedModel> => {
  const { columns: items, indices, rows: users } = input.interactions;
  const data = { users, items, interactions: indices.length };
  return fitPairwise('warp', input, resolveWarpDecays(params, data), context);
};

async function fitPairwise(
  name: 'bpr' | 'warp',
  input: TrainInput,
  params: PairwiseParams,
  context: FitContext,
): Promise<FittedModel> {
  const { pool, signal } = context;
  const [dislikes] = await pool.runPhase<boolean>([{ module: TASKS, name: 'inspect', payload: { input } }], signal);
  const weighted = params.weighting !== 'none' || dislikes === true || isWeighed(params, input);
  const { plan, layout } = layOut(input, params, weighted);
  const memory = plan.allocate(context.memoryBytesMax);
  const engine = await loadEngine(context);
  const fit = new PairwiseFit(name, { module: engine.module, memory, layout, params }, input, context);
  await fit.run(new MemoryState(context, engine, memory, stateOf(layout)));
  const factors = await fit.factors();
  const { itemKeys, userKeys } = input;
  return {
    name,
    engine: engine.name,
    threads: pool.threads,
    params,
    factors,
    rank: (options) => rankByFactors({ ...factors, userKeys, itemKeys }, options, context),
  };
}

/** What a fit's kernels reserve at most, in bytes. */
export function pairwiseBytes(input: TrainInput, params: PairwiseShape): number {
  return layOut(input, params, true).plan.bytes;
}

type PairwiseShape = Pick<PairwiseParams, 'blocks' | 'factors' | 'itemBias' | 'negatives'>;

function layOut({ interactions }: TrainInput, params: PairwiseShape, weighted: boolean) {
  const { columns: items, indices, rows: users } = interactions;
  return layOutPairwise({
    users,
    items,
    interactions: indices.length,
    factors: params.factors,
    blocks: params.blocks === 'auto' ? blockCount(users, items, indices.length) : params.blocks,
    weighted,
    biased: params.itemBias,
    byWeight: params.negatives === 'popularity',
  });
}

class PairwiseFit {
  readonly #name: 'bpr' | 'warp';
  readonly #shared: PairwiseShared;
  readonly #input: TrainInput;
  readonly #context: FitContext;

  constructor(name: 'bpr' | 'warp', shared: PairwiseShared, input: TrainInput, context: FitContext) {
    this.#name = name;
    this.#shared = shared;
    this.#input = input;
    this.#context = context;
  }

  async run(state: MemoryState): Promise<void> {
    const { seed } = this.#context;
    const { layout, params } = this.#shared;
    const input = this.#input;
    const purpose = `pairwise-${this.#name}`;
    const kernel: PairwiseSweep = this.#name === 'bpr' ? 'bprSweep' : 'warpSweep';
    await this.#once('prepare', { input, settings: settingsOf(params) });
    await this.#everywhere('initialise', { input, seed, purpose });
    await this.#adopt(input);
    await runEpochs({
      epochs: params.epochs,
      context: this.#context,
      state,
      epoch: async (epoch) => {
        const key = randomStream(seed, purpose, 'epoch', epoch).uint32();
        await this.#once('beginEpoch', { input, key, rate: rateOf(params, epoch) });
        await this.#everywhere('deal', {});
        for (let round = 0; round < layout.blocks; round++) await this.#everywhere('sweep', { kernel, round });
      },
      metrics: async () => this.#metrics(),
      factors: () => this.factors(),
    });
  }

  async #adopt(keys: TrainInput): Promise<void> {
    const { pool, signal, warmStart } = this.#context;
    if (warmStart === undefined) return;
    const { layout, memory, params } = this.#shared;
    const { biased, biases, itemFactors, userFactors, width: stride } = layout;
    const places = [
      { region: userFactors, stride },
      { region: itemFactors, stride },
    ] as const;
    const adopted = adoptedFactors(warmStart, keys, params.factors, places, biased ? biases : undefined);
    await pool.runPhase([{ module: ADOPT, name: 'adoptRows', payload: { memory, adopted } }], signal);
  }

  /** Of the pairs that the epoch looked at, the share that were in order (WARP: interactions without a violator). */
  #metrics(): Record<string, number> {
    const counts = i32(this.#shared.memory, this.#shared.layout.counts);
    let [updates, ordered] = [0, 0];
    for (let n = 0; n < counts.length; n += 2) {
      updates += counts[n]!;
      ordered += counts[n + 1]!;
    }
    const looked = this.#name === 'bpr' ? updates : updates + ordered;
    return { ordered: looked === 0 ? 0 : ordered / looked };
  }

  async #once(name: string, more: object): Promise<void> {
    await this.#context.pool.runPhase(
      [{ module: TASKS, name, payload: { ...this.#shared, ...more } }],
      this.#context.signal,
    );
  }

  async #everywhere(name: string, more: object): Promise<void> {
    const { pool, signal } = this.#context;
    const { layout, memory } = this.#shared;
    const threads = Math.min(pool.threads, name === 'initialise' ? pool.threads : layout.blocks);
    const task = { module: TASKS, name, payload: { ...this.#shared, ...more } };
    await pool.runPhase(sharedPhase(threads, memory, layout.counter, task), signal);
  }

  async factors(): Promise<Factors> {
    const { layout, params } = this.#shared;
    const width = params.factors + (layout.biased ? 1 : 0);
    const rows = (count: number): DenseRows => ({ rows: count, width, data: sharedFloat32(count * width) });
    const [users, items] = [rows(layout.users), rows(layout.items)];
    const payload = { ...this.#shared, users, items };
    const [finite] = await this.#context.pool.runPhase<boolean>(
      [{ module: TASKS, name: 'copyFactors', payload }],
      this.#context.signal,
    );
    if (finite !== true) throw diverged();
    return { users, items };
  }
}

/** What an epoch leaves to the next. */
function stateOf(layout: PairwiseLayout): Record<string, Region> {
  const { biasSquares, biases, itemFactors, itemSquares, userFactors, userSquares } = layout;
  return { userFactors, itemFactors, biases, userSquares, itemSquares, biasSquares };
}

function settingsOf(params: PairwiseParams): PairwiseSettings {
  const { biasDecay, itemDecay, skipSeen, userDecay } = params;
  const [drawsMax, weightMax] = [params.triesMax ?? BPR_DRAWS_MAX, params.weightMax ?? 0];
  return { drawsMax, skipSeen, userDecay, itemDecay, biasDecay, weightMax };
}

/** From learningRate in the first epoch to rateEnd times that in the last, in a straight line. */
function rateOf({ epochs, learningRate, rateEnd }: PairwiseParams, epoch: number): number {
  return learningRate * (1 - (1 - rateEnd) * (epochs === 1 ? 0 : epoch / (epochs - 1)));
}

function diverged(): AppError {
  return new AppError('MODEL_PARAMS_INVALID', {
    message: 'The factors grew beyond what float32 holds: the steps are too large for this data.',
    details: { issues: [{ path: ['learningRate'], message: 'lower learningRate or raise the decays' }] },
  });
}
