/**
 * Owns sharded-training. What it learns from is decided once, when it is cut: the consents of that moment, like the load of a training in one process. The
 * embeddings carry that moment's epoch, and are stale when somebody has withdrawn between it and their commit.
 */
import { shardedTraining } from '../../jobs/sharded-training/contract.ts';
import type { ContractParsed } from '../../shared/contract-kit/define-job.ts';
import { AppError } from '../../shared/errors.ts';
import { paddedWidth } from '../../shared/numerics/engine/memory.ts';
import { interactionView } from '../../shared/numerics/interactions/interaction-view.ts';
import { ialsParams } from '../../shared/numerics/models/ials.ts';
import { cutIals, joinRows, type SolvedRows, solveIalsBlock } from '../../shared/numerics/models/ials-blocks.ts';
import type { IalsBlock } from '../../shared/numerics/models/ials-blocks.task.ts';
import type { ResolvedIalsParams } from '../../shared/numerics/models/ials-params.ts';
import { findModel } from '../../shared/numerics/models/registry.ts';
import { sharedFloat32 } from '../../shared/numerics/sparse.ts';
import type { DatasetVersion, NamedArray, VersionKind } from '../../shared/store/ports.ts';
import { admitFor, arrayOf, type LoadedEvents, loadEvents, readVersion } from '../reading/dataset.ts';
import { defineProcessor, type RunContext, type Written } from '../runtime/processor.ts';

type Input = ContractParsed<typeof shardedTraining>;
type Side = 'users' | 'items';
type Cut = Extract<Input, { cut: unknown }>['cut'];
type Solve = Extract<Input, { solve: unknown }>['solve'];
type Join = Extract<Input, { join: unknown }>['join'];

/** Steps of one run, all epochs together, that a pipeline holds. */
const SOLVES_MAX = 1_800;

/** What every step must know of the cut; in the version's facts. */
interface CutFacts {
  readonly params: ResolvedIalsParams;
  readonly seed: number;
  readonly dataset: string;
  readonly interactions: number;
  readonly sides: Readonly<
    Record<Side, { readonly rows: number; readonly shift: number; readonly bounds: [number, number][] }>
  >;
}

type Loaded =
  | { readonly cut: Cut; readonly events: LoadedEvents; readonly params: ReturnType<typeof ialsParams.parse> }
  | {
      readonly solve: Solve;
      readonly of: DatasetVersion;
      readonly block: IalsBlock;
      readonly others: SolvedRows;
      readonly warm?: Float32Array;
    }
  | {
      readonly join: Join;
      readonly of: DatasetVersion;
      readonly arrays: readonly NamedArray[];
      readonly users: SolvedRows;
      readonly items: SolvedRows;
    };

/** A version to be written, and what is said of it. */
interface Computed {
  readonly kind: VersionKind;
  readonly rows: number;
  readonly arrays: readonly NamedArray[];
  readonly meta: Readonly<Record<string, unknown>>;
  readonly inputs: readonly string[];
  readonly asOf: number;
  /** When consents were looked at, if not by this step. */
  readonly consentEpoch?: number;
  readonly output: Omit<Written<typeof shardedTraining>['output'], 'version' | 'seconds'>;
  readonly seconds: number;
}

const factsOf = ({ meta }: DatasetVersion): CutFacts => meta as unknown as CutFacts;

async function load(input: Input, context: RunContext): Promise<Loaded> {
  if ('cut' in input) {
    const params = ialsParams.parse(await findModel('ials').parseParams(input.cut.params));
    return { ...input, params, events: await loadEvents(input.cut.dataset, context) };
  }
  const { cut } = 'solve' in input ? input.solve : input.join;
  const of = await readVersion(cut, 'blocks', context);
  return 'solve' in input ? loadBlock(input.solve, of, context) : loadJoin(input.join, of, context);
}

const arraysOf = ({ store, tenant }: RunContext, version: DatasetVersion, names: readonly string[]) =>
  store.versions.arrays(tenant, version, new Set(names));

async function loadBlock(solve: Solve, of: DatasetVersion, context: RunContext): Promise<Loaded> {
  const bounds = factsOf(of).sides[solve.side].bounds[solve.block];
  if (bounds === undefined)
    throw new AppError('INPUT_INVALID', { details: { field: 'block', block: solve.block, cut: solve.cut } });
  const at = `${solve.side}.${solve.block}`;
  const names = ['indptr', 'indices', 'weights', 'regularisers'].map((name) => `${at}.${name}`);
  const arrays = await arraysOf(context, of, names);
  const floats = (name: string): Float32Array => arrayOf(arrays, `${at}.${name}`, Float32Array);
  const block: IalsBlock = {
    from: bounds[0],
    to: bounds[1],
    indptr: arrayOf(arrays, `${at}.indptr`, Int32Array),
    indices: arrayOf(arrays, `${at}.indices`, Int32Array),
    weights: floats('weights'),
    regularisers: floats('regularisers'),
  };
  const others = solve.others.length === 0 ? await startOf(of, context) : await solvedOf(solve.others, context);
  const warm = await warmOf(solve, of, bounds, context);
  return { solve, of, block, others, ...(warm !== undefined && { warm }) };
}

async function startOf(of: DatasetVersion, context: RunContext): Promise<SolvedRows> {
  const arrays = await arraysOf(context, of, ['start.factors', 'start.gramParts']);
  const floats = (name: string): Float32Array => arrayOf(arrays, `start.${name}`, Float32Array);
  return { factors: floats('factors'), gramParts: floats('gramParts') };
}

async function warmOf(
  { side, warm }: Solve,
  of: DatasetVersion,
  [from, to]: readonly [number, number],
  context: RunContext,
): Promise<Float32Array | undefined> {
  if (warm !== null) return (await solvedOf([warm], context)).factors;
  if (side === 'users') return undefined;
  const { factors } = await startOf(of, context);
  const width = paddedWidth(factsOf(of).params.factors);
  return factors.subarray(from * width, to * width);
}

async function solvedOf(versions: readonly string[], context: RunContext): Promise<SolvedRows> {
  const parts: SolvedRows[] = [];
  for (const version of versions) {
    const arrays = await context.store.versions.arrays(context.tenant, await readVersion(version, 'blocks', context));
    const floats = (name: string): Float32Array => arrayOf(arrays, name, Float32Array);
    parts.push({ factors: floats('factors'), gramParts: floats('gramParts') });
  }
  return joinRows(parts);
}

async function loadJoin(join: Join, of: DatasetVersion, context: RunContext): Promise<Loaded> {
  const keys = await arraysOf(context, of, ['subjects', 'itemKeys']);
  const arrays = ['subjects', 'itemKeys'].map((name) => ({ name, data: arrayOf(keys, name, Uint8Array) }));
  return { join, of, arrays, users: await solvedOf(join.users, context), items: await solvedOf(join.items, context) };
}

async function compute(loaded: Loaded, context: RunContext): Promise<Computed> {
  const began = performance.now();
  const made =
    'cut' in loaded ? await cut(loaded, context) : 'solve' in loaded ? await solve(loaded, context) : join(loaded);
  return { ...made, seconds: (performance.now() - began) / 1000 };
}

async function cut(
  { cut: asked, events, params }: Extract<Loaded, { cut: unknown }>,
  context: RunContext,
): Promise<Omit<Computed, 'seconds'>> {
  const { pool, signal } = context;
  const view = await interactionView(await admitFor('recommendation', events, context), context);
  const made = await cutIals(view, params, asked.blocks, { pool, signal, seed: asked.seed });
  const [users, items] = [made.users.blocks.length, made.items.blocks.length];
  if (params.epochs * (users + items + 2) > SOLVES_MAX)
    throw new AppError('INPUT_INVALID', {
      message: `${params.epochs} epochs of ${users + items} blocks are more than ${SOLVES_MAX} steps: ask for fewer blocks.`,
      details: { field: 'blocks', stepsMax: SOLVES_MAX },
    });
  const sideOf = (side: Side, rows: number) => ({
    rows,
    shift: made[side].shift,
    bounds: made[side].blocks.map(({ from, to }) => [from, to] as [number, number]),
  });
  const { interactions, itemKeys, userKeys } = view;
  const facts: CutFacts = {
    params: made.params,
    seed: asked.seed,
    dataset: asked.dataset,
    interactions: interactions.indices.length,
    sides: { users: sideOf('users', interactions.rows), items: sideOf('items', interactions.columns) },
  };
  const blockArrays = (['users', 'items'] as const).flatMap((side) =>
    made[side].blocks.flatMap(({ indices, indptr, regularisers, weights }, n) =>
      Object.entries({ indptr, indices, weights, regularisers }).map(([name, data]) => ({
        name: `${side}.${n}.${name}`,
        data,
      })),
    ),
  );
  return {
    kind: 'blocks',
    rows: interactions.rows,
    arrays: [
      { name: 'subjects', data: userKeys },
      { name: 'itemKeys', data: itemKeys },
      { name: 'start.factors', data: made.start.factors },
      { name: 'start.gramParts', data: made.start.gramParts },
      ...blockArrays,
    ],
    meta: { ...facts },
    inputs: [asked.dataset],
    asOf: events.dataset.asOf,
    output: { blocks: { users, items }, epochs: params.epochs },
  };
}

async function solve(
  { block, of, others, solve: asked, warm }: Extract<Loaded, { solve: unknown }>,
  { pool, signal }: RunContext,
): Promise<Omit<Computed, 'seconds'>> {
  const { params, seed, sides } = factsOf(of);
  const { rows, shift } = sides[asked.side];
  const request = { block, of: rows, shift, params, others, ...(warm !== undefined && { warm }) };
  const { factors, gramParts } = await solveIalsBlock(request, { pool, signal, seed });
  return {
    kind: 'blocks',
    rows: block.to - block.from,
    arrays: [
      { name: 'factors', data: factors },
      { name: 'gramParts', data: gramParts },
    ],
    meta: { side: asked.side, block: asked.block, cut: asked.cut },
    inputs: [asked.cut, ...asked.others, ...(asked.warm === null ? [] : [asked.warm])],
    asOf: of.asOf,
    consentEpoch: of.consentEpoch ?? 0,
    output: {},
  };
}

function join({
  arrays,
  items,
  join: asked,
  of,
  users,
}: Extract<Loaded, { join: unknown }>): Omit<Computed, 'seconds'> {
  const { dataset, interactions, params, seed, sides } = factsOf(of);
  const width = params.factors;
  const userFactors = narrowed(users.factors, sides.users.rows, width);
  const itemFactors = narrowed(items.factors, sides.items.rows, width);
  if (![userFactors, itemFactors].every((factors) => factors.every((value) => Number.isFinite(value))))
    throw new AppError('MODEL_PARAMS_INVALID', {
      message: 'The factors grew beyond what float32 holds: the regularisation is too weak for this data.',
      details: { issues: [{ path: ['lambda'], message: 'raise lambda or unobservedWeight' }] },
    });
  const sizes = { users: sides.users.rows, items: sides.items.rows, factors: width };
  const how = { model: 'ials', params: { ...params }, metrics: null, engine: 'wasm-simd', seed };
  return {
    kind: 'embeddings',
    rows: sides.users.rows,
    arrays: [...arrays, { name: 'userFactors', data: userFactors }, { name: 'itemFactors', data: itemFactors }],
    meta: { ...how, ...sizes, interactions, blocks: asked.users.length + asked.items.length },
    inputs: [dataset, asked.cut],
    asOf: of.asOf,
    consentEpoch: of.consentEpoch ?? 0,
    output: sizes,
  };
}

/** Without the padding. */
function narrowed(padded: Float32Array, rows: number, width: number): Float32Array {
  const stride = padded.length / rows;
  const out = sharedFloat32(rows * width);
  for (let row = 0; row < rows; row++) out.set(padded.subarray(row * stride, row * stride + width), row * width);
  return out;
}

async function write(computed: Computed, context: RunContext): Promise<Written<typeof shardedTraining>> {
  const { store, tenant, runKey, fence, codeVersion } = context;
  const { arrays, asOf, inputs, kind, meta, output, rows, seconds } = computed;
  const consentEpoch = computed.consentEpoch ?? context.consentEpoch;
  const draft = await store.versions.draft(tenant, runKey, fence, rows, arrays);
  const facts = { tenant, kind, runKey, fence, asOf, consentEpoch, inputs, codeVersion, meta };
  const { version } = await store.versions.write({ ...draft, ...facts });
  // The executor looks at what happened since this step began; what it made learned from people as they were when it was cut.
  const withdrawn = await store.consents.withdrawnSince(tenant, consentEpoch, shardedTraining.purposes);
  if (withdrawn.subjects.length > 0) await store.versions.markStale(tenant, version);
  return { output: { version, ...output, seconds }, version, lineage: { inputs, engine: 'wasm-simd' } };
}

export default defineProcessor({ contract: shardedTraining, load, compute, write });
