/** Owns where people stand in the network of their ties: a coordinator of the passes over ties and over the network. */
import { type FeatureOf, featuresOfView } from '../../shared/numerics/features/registry.ts';
import { type Centralities, centralities } from '../../shared/numerics/graph/centrality.ts';
import type { Communities } from '../../shared/numerics/graph/communities.task.ts';
import { askEach } from '../../shared/numerics/interactions/interaction-view.ts';
import { sharedFloat32 } from '../../shared/numerics/sparse.ts';
import { KEY_BYTES } from '../../shared/numerics/types.ts';
import type { RunContext } from '../runtime/processor.ts';
import type { FeatureEvents, Shaped } from './features.task.ts';
import type { Network, NetworkRequest, SaidTies, TieRequest } from './ties.task.ts';

const TIES = new URL('./ties.task.ts', import.meta.url).href;
const COMMUNITIES = new URL('../../shared/numerics/graph/communities.task.ts', import.meta.url).href;

export interface NetworkViewRequest {
  readonly events: FeatureEvents;
  readonly asOf: number;
  readonly seed: number;
  readonly allows: (subject: Uint8Array, source: string) => boolean;
}

/** A view that is made of something else than each person's own acts. */
export interface OwnShape extends Shaped {
  /** Small facts of how it was made. */
  readonly facts: Readonly<Record<string, unknown>>;
}

/** The people with ties that both ends allow, in the order of their keys; none: undefined. */
export async function readNetwork(request: NetworkViewRequest, context: RunContext): Promise<Network | undefined> {
  const { events, asOf } = request;
  const { target } = events.columns;
  if (target === undefined) return undefined;
  const find: TieRequest = { events, target, asOf };
  const said = await once<SaidTies>(TIES, 'findTies', find, context);
  const allowed = await askPeople(said, request, context);
  const lay: NetworkRequest = { ...said, sources: events.sources, allowed };
  const network = await once<Network>(TIES, 'layNetwork', lay, context);
  return network.keys.length === 0 ? undefined : network;
}

/** Person by source, of those that ties name. */
async function askPeople(
  { keys, from, to, source }: SaidTies,
  { events, allows }: NetworkViewRequest,
  { signal }: RunContext,
): Promise<Uint8Array> {
  const { sources, sourceNames } = events;
  const people = keys.length / KEY_BYTES;
  const named = new Uint8Array(people * sources);
  for (let n = 0; n < from.length; n++) {
    named[from[n]! * sources + source[n]!] = 1;
    named[to[n]! * sources + source[n]!] = 1;
  }
  return askEach({ keys, present: named, sourceNames }, allows, signal);
}

export async function buildNetworkView(request: NetworkViewRequest, context: RunContext): Promise<OwnShape> {
  const { pool, signal } = context;
  const network = await readNetwork(request, context);
  const names = featuresOfView('network');
  if (network === undefined) return { ...NOBODY, kept: [...names.keys()] };
  const { graph, keys } = network;
  const central = await centralities(graph, keys, { pool, signal, seed: request.seed });
  const communities = await once<Communities>(COMMUNITIES, 'findCommunities', { graph, seed: request.seed }, context);
  const matrix = sharedFloat32(graph.rows * names.length);
  for (let person = 0; person < graph.rows; person++) {
    const own = figuresOf(network, central, communities, person);
    for (const [column, name] of names.entries()) matrix[person * names.length + column] = own[name];
  }
  const { sizes, modularity } = communities;
  const facts = { ties: graph.indices.length / 2, pathSources: central.sources, communities: sizes.length, modularity };
  return { rows: graph.rows, kept: [...names.keys()], subjects: keys, matrix, facts };
}

export const NOBODY: OwnShape = {
  rows: 0,
  kept: [],
  subjects: new Uint8Array(0),
  matrix: new Float32Array(0),
  facts: {},
};

function figuresOf(
  { graph, following, followers, mutual }: Network,
  { ties, pageRank, closeness, betweenness }: Centralities,
  { of, sizes }: Communities,
  person: number,
): Record<FeatureOf<'network'>, number> {
  const others = graph.indices.subarray(graph.indptr[person], graph.indptr[person + 1]);
  const within = others.reduce((count, other) => count + Number(of[other] === of[person]), 0);
  return {
    ties: Math.log1p(ties[person]!),
    following: Math.log1p(following[person]!),
    followers: Math.log1p(followers[person]!),
    mutualShare: mutual[person]! / others.length,
    pageRank: pageRank[person]! * graph.rows,
    closeness: closeness[person]!,
    betweenness: betweenness[person]!,
    communityPeople: Math.log1p(sizes[of[person]!]!),
    communityShare: within / others.length,
  };
}

async function once<T>(module: string, name: string, payload: unknown, { pool, signal }: RunContext): Promise<T> {
  const [answer] = await pool.runPhase<T>([{ module, name, payload }], signal);
  return answer!;
}
