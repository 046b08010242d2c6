/** Owns what the models of sharded-training have in common: what a step was asked, what it makes, and how versions of blocks are read. */
import type { shardedTraining } from '../../jobs/sharded-training/contract.ts';
import type { ContractParsed } from '../../shared/contract-kit/define-job.ts';
import { type InteractionView, interactionView } from '../../shared/numerics/interactions/interaction-view.ts';
import { findModel } from '../../shared/numerics/models/registry.ts';
import type { DatasetVersion, NamedArray, VersionKind } from '../../shared/store/ports.ts';
import { admitFor, arrayOf, loadEvents, readVersion } from '../reading/dataset.ts';
import type { RunContext, Written } from '../runtime/processor.ts';

export type Input = ContractParsed<typeof shardedTraining>;
export type Cut = Extract<Input, { cut: unknown }>['cut'];
export type Solve = Extract<Input, { solve: unknown }>['solve'];
export type Learn = Extract<Input, { learn: unknown }>['learn'];
export type Join = Extract<Input, { join: unknown }>['join'];

/** Steps of one run, all epochs together, that a pipeline holds. */
export const STEPS_MAX = 1_800;

/** A version to be written, and what is said of it. */
export interface Computed {
  readonly kind: VersionKind;
  readonly rows: number;
  readonly arrays: readonly NamedArray[];
  readonly meta: Readonly<Record<string, unknown>>;
  readonly inputs: readonly string[];
  readonly asOf: number;
  /** When consents were looked at, if not by this step. */
  readonly consentEpoch?: number;
  /** When the cut was made, ms since 1970. */
  readonly cutAt?: number;
  readonly output: Omit<Written<typeof shardedTraining>['output'], 'version' | 'seconds'>;
}

/** What a step has loaded and is to do. */
export type Work = (context: RunContext) => Promise<Computed>;

/** What every step must know of the cut; in the version's facts. */
export interface CutFacts {
  /** Absent of what was cut when there was only `ials`. */
  readonly model?: Cut['model'];
  readonly params: Readonly<Record<string, unknown>>;
  readonly seed: number;
  readonly dataset: string;
  readonly interactions: number;
}

export type Arrays = ReadonlyMap<string, NamedArray['data']>;

export const arraysOf = (
  { store, tenant }: RunContext,
  version: DatasetVersion,
  names: readonly string[],
): Promise<Arrays> => store.versions.arrays(tenant, version, new Set(names));

/** All arrays of a version that a step made. */
export async function madeArrays(version: string, context: RunContext): Promise<Arrays> {
  return context.store.versions.arrays(context.tenant, await readVersion(version, 'blocks', context));
}

export const int32Of = (arrays: Arrays, name: string): Int32Array => arrayOf(arrays, name, Int32Array);
export const float32Of = (arrays: Arrays, name: string): Float32Array => arrayOf(arrays, name, Float32Array);
export const keysOf = (arrays: Arrays, name: string): Uint8Array => arrayOf(arrays, name, Uint8Array);

/** Reads what is to be cut: the parameters, and how the view of its people comes about. */
export async function readCut(
  { dataset, model, params }: Cut,
  context: RunContext,
): Promise<{ readonly params: unknown; readonly asOf: number; readonly view: Viewer }> {
  const parsed = await findModel(model).parseParams(params);
  const events = await loadEvents(dataset, 'recommendation', context);
  const view: Viewer = async (later) => interactionView(await admitFor('recommendation', events, later), later);
  return { params: parsed, asOf: events.dataset.asOf, view };
}

export type Viewer = (context: RunContext) => Promise<InteractionView>;

/** What is said of the version of a cut. */
export const cutFacts = ({ dataset, model, seed }: Cut, { interactions }: InteractionView) => ({
  model,
  seed,
  dataset,
  interactions: interactions.indices.length,
});

/** What a step makes of a cut: its moment and its consents are those of the cut. */
export const ofCut = (of: DatasetVersion): Pick<Computed, 'asOf' | 'consentEpoch' | 'cutAt'> => ({
  asOf: of.asOf,
  consentEpoch: of.consentEpoch ?? 0,
  cutAt: of.createdAt,
});

/** Embeddings, as embedding-training writes them. */
export function embeddingsOf(
  of: DatasetVersion,
  {
    blocks,
    engine = 'wasm-simd',
    factors,
    keys,
    model,
  }: {
    readonly model: Cut['model'];
    readonly engine?: string;
    readonly keys: Arrays;
    readonly blocks: number;
    readonly factors: { readonly users: Float32Array; readonly items: Float32Array; readonly width: number };
  },
): Computed {
  const { dataset, interactions, params, seed } = of.meta as unknown as CutFacts;
  const { items, users, width } = factors;
  const sizes = { users: users.length / width, items: items.length / width, factors: width };
  return {
    kind: 'embeddings',
    rows: sizes.users,
    arrays: [
      { name: 'subjects', data: keysOf(keys, 'subjects') },
      { name: 'itemKeys', data: keysOf(keys, 'itemKeys') },
      { name: 'userFactors', data: users },
      { name: 'itemFactors', data: items },
    ],
    meta: { model, params: { ...params }, metrics: null, engine, seed, ...sizes, interactions, blocks },
    inputs: [dataset, of.version],
    ...ofCut(of),
    output: sizes,
  };
}
