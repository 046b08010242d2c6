/**
 * Owns biased random walks over a graph, as sequences for skip-gram (node2vec): p pulls a walk back to where it came from (low p) or
 * keeps it from there, q keeps it near (high q) or sends it away. For social and co-view graphs.
 * Source: Grover, Leskovec, "node2vec" (KDD 2016). Complexity: steps * (1 + rejected proposals) * log(neighbours).
 */
import { AppError } from '../../errors.ts';
import { loadEngine } from '../engine/load.ts';
import { MemoryPlan, type Region } from '../engine/memory.ts';
import { sharedPhase } from '../engine/work-sharing.ts';
import { sharedInt32 } from '../sparse.ts';
import type { FitContext, SparseRows } from '../types.ts';
import type { Sequences } from './sgns.ts';

export interface WalkParams {
  /** Nodes of a walk, 1..10000. */
  readonly length: number;
  /** Walks from each node, 1..10000. */
  readonly perNode: number;
  /** Going back has weight 1 / p, going on to a node that is no neighbour of the last 1 / q; both 0.001..1000. */
  readonly p: number;
  readonly q: number;
}

export const WALK_DEFAULTS: WalkParams = { length: 40, perNode: 10, p: 1, q: 1 };

export interface WalkLayout {
  readonly indptr: Region;
  readonly indices: Region;
  readonly thresholds: Region;
  readonly aliases: Region;
  readonly hashes: Region;
  readonly tokens: Region;
  readonly counter: Region;
}

const TASKS = new URL('./walks.task.ts', import.meta.url).href;

/**
 * Walks from every node with neighbours, in rounds over the nodes; a walk ends early where there is nowhere to go. `graph` is square;
 * values are weights > 0; an undirected tie is in both rows. The same walks for any number of threads.
 * @throws AppError NUMERICS_INPUT_INVALID, DATASET_EMPTY, NUMERICS_MEMORY_LIMIT (before any work), CANCELLED, KERNEL_MISSING.
 */
export async function randomWalks(
  graph: SparseRows,
  params: WalkParams,
  context: FitContext,
  nodeKeys?: Uint8Array,
): Promise<Sequences> {
  const { pool, seed, signal } = context;
  checkParams(params);
  await pool.runPhase([{ module: TASKS, name: 'inspect', payload: { graph } }], signal);
  const plan = new MemoryPlan();
  const edges = graph.indices.length;
  const walks = graph.rows * params.perNode;
  const layout: WalkLayout = {
    indptr: plan.reserve(graph.rows + 1),
    indices: plan.reserve(edges),
    thresholds: plan.reserve(edges),
    aliases: plan.reserve(edges),
    hashes: plan.reserve(graph.rows),
    tokens: plan.reserve(walks * params.length),
    counter: plan.reserve(1),
  };
  const memory = plan.allocate(context.memoryBytesMax);
  const { module } = await loadEngine(context);
  const payload = { module, memory, layout, graph, params, seed, nodeKeys };
  await pool.runPhase([{ module: TASKS, name: 'prepare', payload }], signal);
  const task = { module: TASKS, name: 'walk', payload };
  await pool.runPhase(sharedPhase(pool.threads, memory, layout.counter, task), signal);
  const indptr = sharedInt32(walks + 1);
  const [tokens] = await pool.runPhase<Int32Array>(
    [{ module: TASKS, name: 'collect', payload: { ...payload, indptr } }],
    signal,
  );
  return { indptr, tokens: tokens! };
}

function checkParams(params: WalkParams): void {
  const bounds = { length: [1, 10_000], perNode: [1, 10_000], p: [0.001, 1000], q: [0.001, 1000] } as const;
  for (const name of ['length', 'perNode', 'p', 'q'] as const) {
    const [least, most] = bounds[name];
    const value = params[name];
    const whole = name === 'p' || name === 'q' || Number.isInteger(value);
    if (!(whole && value >= least && value <= most)) {
      throw new AppError('MODEL_PARAMS_INVALID', {
        message: `Walks: ${name} must be from ${least} to ${most}.`,
        details: { issues: [{ path: [name], message: `${least}..${most}` }] },
      });
    }
  }
}
