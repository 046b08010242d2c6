/**
 * Owns the fit of implicit-feedback ALS with a frequency-scaled regulariser: a coordinator of phases, all maths in threads.
 *
 * Minimises sum_observed c (1 - u.v)^2 + a0 sum_all (u.v)^2 + lambda sum_u (|I_u| + a0 |I|)^nu |u|^2 + the same for items
 * (Rendle, Krichene, Zhang, Koren: "Revisiting the Performance of iALS on Item Recommendation Benchmarks", RecSys 2022;
 * Hu, Koren, Volinsky, ICDM 2008; conjugate gradients: Takacs, Pilaszy, Tikk, RecSys 2011).
 * Steps are preconditioned by the inverse of the part of the normal equations that all rows share (the Gram matrix and the mean regulariser): one
 * step from the last epoch's factors then brings as much per epoch as an exact solution.
 * Complexity per epoch: (steps + 1) * (2 interactions * factors + 2 (users + items) * factors^2) multiply-adds.
 */
import { AppError } from '../../errors.ts';
import { runEpochs } from '../engine/epochs.ts';
import { type Engine, loadEngine } from '../engine/load.ts';
import { i32 } from '../engine/memory.ts';
import { MemoryState } from '../engine/memory-state.ts';
import { sharedPhase } from '../engine/work-sharing.ts';
import { isWeighed } from '../interactions/evidence.ts';
import { rankByFactors } from '../ranking/rank-factors.ts';
import { sharedFloat32 } from '../sparse.ts';
import type { DenseRows, Factors, FitContext, FittedModel, SparseRows, TrainInput } from '../types.ts';
import { ADOPT, adoptedFactors } from './warm-start.ts';
import type { IalsShared } from './ials.task.ts';
import { type IalsLayout, layOutIals } from './ials-layout.ts';
import { type IalsDataSummary, type IalsParams, type ResolvedIalsParams, resolveIalsParams } from './ials-params.ts';

export { type IalsParams, ialsParams } from './ials-params.ts';

const TASKS = new URL('./ials.task.ts', import.meta.url).href;

/**
 * Fits user and item factors. Same input, parameters and seed give the same bytes for any number of threads.
 * @throws AppError NUMERICS_INPUT_INVALID, DATASET_EMPTY, NUMERICS_MEMORY_LIMIT (before any work), CANCELLED, KERNEL_MISSING.
 */
export async function fitIals(input: TrainInput, params: IalsParams, context: FitContext): Promise<FittedModel> {
  const { interactions } = input;
  const data = await summariseIals(input, params, context);
  const resolved = resolveIalsParams(params, data);
  // Dislikes carry a sign even where values are not used as weights.
  const weighted = params.weighting !== 'none' || data.dislikes || isWeighed(params, input);
  const { plan, layout } = layOut(interactions, params, weighted, context.pool.threads);
  const memory = plan.allocate(context.memoryBytesMax);
  const engine = await loadEngine(context);
  const fit = new IalsFit({ module: engine.module, memory, layout }, resolved, context);
  const { items, users } = layout;
  await fit.run(input, new MemoryState(context, engine, memory, { users: users.factors, items: items.factors }));
  const factors = await fit.factors();
  return fittedModel(engine, factors, input, resolved, context);
}

/** What a fit's kernels reserve at most, in bytes. */
export function ialsBytes({ interactions }: TrainInput, params: IalsParams, threads: number): number {
  return layOut(interactions, params, true, threads).plan.bytes;
}

const layOut = ({ columns, indices, rows }: SparseRows, { factors }: IalsParams, weighted: boolean, threads: number) =>
  layOutIals({ users: rows, items: columns, interactions: indices.length, factors, weighted, threads });

/** Checks the input and measures what `auto` parameters need, in a thread. */
export async function summariseIals(
  input: TrainInput,
  params: IalsParams,
  { pool, signal }: Pick<FitContext, 'pool' | 'signal'>,
): Promise<IalsDataSummary> {
  const [summary] = await pool.runPhase<IalsDataSummary>(
    [{ module: TASKS, name: 'summarise', payload: { input, params } }],
    signal,
  );
  return summary!;
}

class IalsFit {
  readonly #shared: IalsShared;
  readonly #layout: IalsLayout;
  readonly #params: ResolvedIalsParams;
  readonly #context: FitContext;

  constructor(shared: IalsShared, params: ResolvedIalsParams, context: FitContext) {
    this.#shared = shared;
    this.#layout = shared.layout;
    this.#params = params;
    this.#context = context;
  }

  async run(input: TrainInput, state: MemoryState): Promise<void> {
    const { epochs } = this.#params;
    const { seed } = this.#context;
    await this.#once('prepare', { input });
    await this.#everywhere('initialise', { itemKeys: input.itemKeys, seed });
    await this.#adopt(input);
    await runEpochs({
      epochs,
      context: this.#context,
      state,
      begin: () => this.#everywhere('gram', { side: 'items' }),
      epoch: async () => {
        await this.#solve('users');
        await this.#solve('items');
      },
      metrics: async (isWatched) => (isWatched ? { loss: await this.#once<number>('loss', {}) } : {}),
      factors: () => this.factors(),
    });
  }

  async #adopt(input: TrainInput): Promise<void> {
    const { pool, signal, warmStart } = this.#context;
    if (warmStart === undefined) return;
    const { items, users, width } = this.#layout;
    const adopted = adoptedFactors(warmStart, input, this.#params.factors, [
      { region: users.factors, stride: width },
      { region: items.factors, stride: width },
    ]);
    await pool.runPhase(
      [{ module: ADOPT, name: 'adoptRows', payload: { memory: this.#shared.memory, adopted } }],
      signal,
    );
  }

  async #solve(side: 'users' | 'items'): Promise<void> {
    i32(this.#shared.memory, this.#layout[side].finished).fill(0);
    await this.#everywhere('solve', { side });
  }

  async #once<T>(name: string, more: object): Promise<T> {
    const payload = { ...this.#shared, params: this.#params, ...more };
    const [result] = await this.#context.pool.runPhase<T>([{ module: TASKS, name, payload }], this.#context.signal);
    return result as T;
  }

  async #everywhere(name: string, more: object): Promise<void> {
    const { pool, signal } = this.#context;
    const payload = { ...this.#shared, params: this.#params, ...more };
    const task = { module: TASKS, name, payload };
    await pool.runPhase(sharedPhase(pool.threads, this.#shared.memory, this.#layout.counter, task), signal);
  }

  async factors(): Promise<Factors> {
    const width = this.#params.factors;
    const [users, items] = (['users', 'items'] as const).map((side) => {
      const rows = this.#layout[side].count;
      return { rows, width, data: sharedFloat32(rows * width) };
    }) as [DenseRows, DenseRows];
    const tasks = Object.entries({ users, items }).map(([side, { data }]) => ({
      module: TASKS,
      name: 'copyFactors',
      payload: { ...this.#shared, side, into: data },
    }));
    const finite = await this.#context.pool.runPhase<boolean>(tasks, this.#context.signal);
    if (finite.includes(false)) {
      throw new AppError('MODEL_PARAMS_INVALID', {
        message: 'The factors grew beyond what float32 holds: the regularisation is too weak for this data.',
        details: { issues: [{ path: ['lambda'], message: 'raise lambda or unobservedWeight' }] },
      });
    }
    return { users, items };
  }
}

function fittedModel(
  engine: Engine,
  factors: Factors,
  input: TrainInput,
  params: ResolvedIalsParams,
  context: FitContext,
): FittedModel {
  const { userKeys, itemKeys } = input;
  return {
    name: 'ials',
    engine: engine.name,
    threads: context.pool.threads,
    params,
    factors,
    rank: (options) => rankByFactors({ ...factors, userKeys, itemKeys }, options, context),
  };
}
