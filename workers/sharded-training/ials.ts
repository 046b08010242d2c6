/** Owns the steps of iALS in blocks of rows. */
import { AppError } from '../../shared/errors.ts';
import { paddedWidth } from '../../shared/numerics/engine/memory.ts';
import { ialsParams } from '../../shared/numerics/models/ials.ts';
import { cutIals, joinRows, type SolvedRows, solveIalsBlock } from '../../shared/numerics/models/ials-blocks.ts';
import type { IalsBlock } from '../../shared/numerics/models/ials-blocks.task.ts';
import type { ResolvedIalsParams } from '../../shared/numerics/models/ials-params.ts';
import { sharedFloat32 } from '../../shared/numerics/sparse.ts';
import type { DatasetVersion } from '../../shared/store/ports.ts';
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
  madeArrays,
  ofCut,
  readCut,
  type Solve,
  STEPS_MAX,
  type Work,
} from './work.ts';

type Side = 'users' | 'items';
const SIDES = ['users', 'items'] as const;

interface IalsFacts extends CutFacts {
  readonly params: ResolvedIalsParams;
  readonly sides: Readonly<
    Record<Side, { readonly rows: number; readonly shift: number; readonly bounds: [number, number][] }>
  >;
}

const factsOf = ({ meta }: DatasetVersion): IalsFacts => meta as unknown as IalsFacts;

export async function loadIalsCut(cut: Cut, context: RunContext): Promise<Work> {
  const read = await readCut(cut, context);
  const params = ialsParams.parse(read.params);
  return async (later) => {
    const view = await read.view(later);
    const { pool, signal } = later;
    const made = await cutIals(view, params, cut.blocks, { pool, signal, seed: cut.seed });
    const [users, items] = [made.users.blocks.length, made.items.blocks.length];
    if (params.epochs * (users + items + 2) > STEPS_MAX)
      throw new AppError('INPUT_INVALID', {
        message: `${params.epochs} epochs of ${users + items} blocks are more than ${STEPS_MAX} steps: ask for fewer blocks.`,
        details: { field: 'blocks', stepsMax: STEPS_MAX },
      });
    const { interactions, itemKeys, userKeys } = view;
    const sideOf = (side: Side, rows: number) => ({
      rows,
      shift: made[side].shift,
      bounds: made[side].blocks.map(({ from, to }) => [from, to] as [number, number]),
    });
    const facts: IalsFacts = {
      ...cutFacts(cut, view),
      params: made.params,
      sides: { users: sideOf('users', interactions.rows), items: sideOf('items', interactions.columns) },
    };
    const blockArrays = SIDES.flatMap((side) =>
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
      inputs: [cut.dataset],
      asOf: read.asOf,
      output: { blocks: { users, items }, epochs: params.epochs },
    };
  };
}

export async function loadSolve(asked: Solve, of: DatasetVersion, context: RunContext): Promise<Work> {
  const { params, seed, sides } = factsOf(of);
  const { bounds, rows, shift } = sides[asked.side];
  const own = bounds[asked.block];
  if (own === undefined)
    throw new AppError('INPUT_INVALID', { details: { field: 'block', block: asked.block, cut: asked.cut } });
  const block = await readBlock(asked, of, own, context);
  const others = asked.others.length === 0 ? await startOf(of, context) : await solvedOf(asked.others, context);
  const warm = await warmOf(asked, of, own, context);
  return async ({ pool, signal }) => {
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
      ...ofCut(of),
      output: {},
    };
  };
}

async function readBlock(
  { block, side }: Solve,
  of: DatasetVersion,
  [from, to]: readonly [number, number],
  context: RunContext,
): Promise<IalsBlock> {
  const at = `${side}.${block}`;
  const names = ['indptr', 'indices', 'weights', 'regularisers'].map((name) => `${at}.${name}`);
  const arrays = await arraysOf(context, of, names);
  return {
    from,
    to,
    indptr: int32Of(arrays, `${at}.indptr`),
    indices: int32Of(arrays, `${at}.indices`),
    weights: float32Of(arrays, `${at}.weights`),
    regularisers: float32Of(arrays, `${at}.regularisers`),
  };
}

const rowsOf = (arrays: Arrays, at = ''): SolvedRows => ({
  factors: float32Of(arrays, `${at}factors`),
  gramParts: float32Of(arrays, `${at}gramParts`),
});

async function startOf(of: DatasetVersion, context: RunContext): Promise<SolvedRows> {
  return rowsOf(await arraysOf(context, of, ['start.factors', 'start.gramParts']), 'start.');
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
  for (const version of versions) parts.push(rowsOf(await madeArrays(version, context)));
  return joinRows(parts);
}

export async function loadIalsJoin(
  asked: { readonly users: readonly string[]; readonly items: readonly string[] },
  of: DatasetVersion,
  context: RunContext,
): Promise<Work> {
  const keys = await arraysOf(context, of, ['subjects', 'itemKeys']);
  const solved = { users: await solvedOf(asked.users, context), items: await solvedOf(asked.items, context) };
  return async () => {
    const { params, sides } = factsOf(of);
    const width = params.factors;
    const [users, items] = SIDES.map((side) => narrowed(solved[side].factors, sides[side].rows, width));
    if (![users!, items!].every((factors) => factors.every((value) => Number.isFinite(value))))
      throw new AppError('MODEL_PARAMS_INVALID', {
        message: 'The factors grew beyond what float32 holds: the regularisation is too weak for this data.',
        details: { issues: [{ path: ['lambda'], message: 'raise lambda or unobservedWeight' }] },
      });
    const factors = { users: users!, items: items!, width };
    return embeddingsOf(of, { model: 'ials', keys, blocks: asked.users.length + asked.items.length, factors });
  };
}

/** Without the padding. */
function narrowed(padded: Float32Array, rows: number, width: number): Float32Array {
  const stride = padded.length / rows;
  const out = sharedFloat32(rows * width);
  for (let row = 0; row < rows; row++) out.set(padded.subarray(row * stride, row * stride + width), row * width);
  return out;
}
