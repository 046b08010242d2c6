/**
 * Owns coordinates of people in the network of their ties: biased random walks along the ties that both ends allow, and skip-gram over the walks
 * (node2vec). People come in the order of their keys and every draw is keyed by them, in plain SIMD: the same ties and seed give the same bytes
 * for any number of threads and on every CPU.
 */
import { featuresOfView } from '../../shared/numerics/features/registry.ts';
import { GRAPH_DIMENSIONS } from '../../shared/numerics/features/views/graph.ts';
import { SGNS_DEFAULTS, type SgnsParams, trainSgns } from '../../shared/numerics/sgd/sgns.ts';
import { randomWalks, type WalkParams } from '../../shared/numerics/sgd/walks.ts';
import type { FitContext } from '../../shared/numerics/types.ts';
import type { RunContext } from '../runtime/processor.ts';
import { type NetworkViewRequest, NOBODY, type OwnShape, readNetwork } from './network-view.ts';

const WALKS: WalkParams = { length: 20, perNode: 10, p: 1, q: 1 };
const TRAINING: SgnsParams = { ...SGNS_DEFAULTS, dimensions: GRAPH_DIMENSIONS, epochs: 3 };

export async function buildGraphView(request: NetworkViewRequest, context: RunContext): Promise<OwnShape> {
  const { pool, signal } = context;
  const { seed } = request;
  const network = await readNetwork(request, context);
  const kept = [...featuresOfView('graph').keys()];
  if (network === undefined) return { ...NOBODY, kept };
  const { graph, keys } = network;
  const fit: FitContext = { pool, seed, signal, deterministic: true };
  const sequences = await randomWalks(graph, WALKS, fit, keys);
  const { inputs } = await trainSgns({ words: graph.rows, sequences, wordKeys: keys }, TRAINING, fit);
  return {
    rows: graph.rows,
    kept,
    subjects: keys,
    matrix: inputs.data,
    facts: { ties: graph.indices.length / 2, walks: WALKS, training: TRAINING },
  };
}
