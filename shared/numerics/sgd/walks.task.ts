/** Owns what the threads do to walk over a graph. */
import { AppError } from '../../errors.ts';
import { randomStream } from '../../random.ts';
import { checkSparseRows } from '../check-input.ts';
import { instantiate } from '../engine/load.ts';
import { i32 } from '../engine/memory.ts';
import { takeChunks } from '../engine/work-sharing.ts';
import { sharedInt32 } from '../sparse.ts';
import { entityHashes } from '../tie-hash.ts';
import type { SparseRows } from '../types.ts';
import { buildAliases } from './strata.ts';
import type { WalkLayout, WalkParams } from './walks.ts';

export interface WalkPayload {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly layout: WalkLayout;
  readonly graph: SparseRows;
  readonly params: WalkParams;
  readonly seed: number;
  readonly nodeKeys?: Uint8Array | undefined;
}

const CHUNK_WALKS = 256;

/** One thread. */
export function inspect({ graph }: { readonly graph: SparseRows }): void {
  checkSparseRows(graph, 'graph', true);
  if (graph.rows !== graph.columns) {
    const details = { array: 'graph', rows: graph.rows, columns: graph.columns };
    throw new AppError('NUMERICS_INPUT_INVALID', {
      message: 'graph: rows and columns must be the same nodes.',
      details,
    });
  }
  if (graph.indices.length === 0) throw new AppError('DATASET_EMPTY', { message: 'The graph has no edges.' });
}

/** Writes the graph and each node's alias tables of its edges' weights. One thread. */
export function prepare({ graph, layout, memory, nodeKeys }: WalkPayload): void {
  i32(memory, layout.indptr).set(graph.indptr);
  i32(memory, layout.indices).set(graph.indices);
  i32(memory, layout.hashes).set(entityHashes(0, graph.rows, nodeKeys, 'item'));
  const thresholds = new Uint32Array(memory.buffer, layout.thresholds.at, graph.indices.length);
  const aliases = i32(memory, layout.aliases);
  const weight = (place: number) => graph.values[place]!;
  for (let node = 0; node < graph.rows; node++) {
    buildAliases(graph.indptr[node]!, graph.indptr[node + 1]!, weight, thresholds, aliases);
  }
}

/** Threads share the walks. */
export function walk({ graph, layout, memory, module, params, seed }: WalkPayload): void {
  const kernels = instantiate(module, memory);
  const key = randomStream(seed, 'walks').uint32();
  takeChunks(memory, layout.counter, graph.rows * params.perNode, CHUNK_WALKS, (from, to) =>
    kernels.walkGraph(
      layout.indptr.at,
      layout.indices.at,
      layout.thresholds.at,
      layout.aliases.at,
      layout.hashes.at,
      graph.rows,
      key,
      1 / params.p,
      1 / params.q,
      from,
      to,
      params.length,
      layout.tokens.at,
    ),
  );
}

/** Closes the gaps behind walks that ended early and drops those of a single node; writes `indptr`, returns the tokens. One thread. */
export function collect({ indptr, layout, memory, params }: WalkPayload & { readonly indptr: Int32Array }): Int32Array {
  const walked = i32(memory, layout.tokens);
  const tokens = new Int32Array(walked.length);
  let count = 0;
  for (let n = 0; n + 1 < indptr.length; n++) {
    const own = walked.subarray(n * params.length, (n + 1) * params.length);
    const end = own.indexOf(-1);
    const length = end === -1 ? own.length : end;
    if (length > 1 || params.length === 1) {
      tokens.set(own.subarray(0, length), count);
      count += length;
    }
    indptr[n + 1] = count;
  }
  return sharedInt32(count, tokens.subarray(0, count));
}
