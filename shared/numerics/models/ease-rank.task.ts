/** Owns what the threads do to rank by weights of items on items: B from the inverse, then the users' rows times B, panel by panel. */
import { instantiate } from '../engine/load.ts';
import { f32, f64, i32 } from '../engine/memory.ts';
import { takeChunks } from '../engine/work-sharing.ts';
import { type BlockPayload, USERS_PER_CHUNK } from '../ranking/rank-blocks.ts';
import type { EaseRankRegions, SweptInverse } from './ease.ts';
import { BLOCK_ORDER, PANEL_COLUMNS } from './ease-layout.ts';

interface RankSource {
  readonly indptr: Int32Array;
  readonly indices: Int32Array;
  readonly weights: Float32Array;
  readonly inverse: SweptInverse;
}

type RankPayload = BlockPayload<EaseRankRegions, RankSource>;
type Matrix = Float32Array | Float64Array;

const BLOCK = BLOCK_ORDER * BLOCK_ORDER;

/** Writes the users' rows and B_ij = -P_ij / P_jj, 0 on the diagonal. Threads share the block rows of the inverse. */
export function prepareRanking(payload: RankPayload): void {
  const { items, layout, memory, regions, source } = payload;
  if ((payload.thread ?? 0) === 0) {
    i32(memory, regions.indptr).set(source.indptr);
    i32(memory, regions.indices).set(source.indices);
    f32(memory, regions.values).set(source.weights);
  }
  const { elementBytes, matrix: region } = source.inverse;
  const matrix: Matrix = (elementBytes === 4 ? f32 : f64)(source.inverse.memory, region);
  const panels = f32(memory, regions.panels);
  const scales = diagonal(matrix, items).map((own) => -1 / own);
  takeChunks(memory, layout.counter, Math.ceil(items / BLOCK_ORDER), 1, (i) => {
    for (let j = 0; j <= i; j++) spreadBlock(matrix, i, j, scales, panels);
  });
}

/** The diagonal of the swept matrix, which is -P. */
function diagonal(matrix: Matrix, items: number): Float64Array {
  return Float64Array.from({ length: items }, (_, item) => {
    const block = Math.floor(item / BLOCK_ORDER);
    return matrix[((block * (block + 1)) / 2 + block) * BLOCK + (item % BLOCK_ORDER) * (BLOCK_ORDER + 1)]!;
  });
}

/** Both places of B that block (i, j) of the symmetric inverse decides. */
function spreadBlock(matrix: Matrix, i: number, j: number, scales: Float64Array, panels: Float32Array): void {
  const items = scales.length;
  const start = ((i * (i + 1)) / 2 + j) * BLOCK;
  const [rows, columns] = [i, j].map((block) => Math.min(BLOCK_ORDER, items - block * BLOCK_ORDER)) as [number, number];
  for (let r = 0; r < rows; r++) {
    const row = i * BLOCK_ORDER + r;
    const own = placeOf(0, row, items);
    for (let c = 0; c < columns; c++) {
      const column = j * BLOCK_ORDER + c;
      // Of a diagonal block, which rounding leaves a little asymmetric, the lower half speaks for both.
      if (column >= row) break;
      const value = matrix[start + r * BLOCK_ORDER + c]!;
      panels[placeOf(row, column, items)] = value * scales[column]!;
      panels[own + column * PANEL_COLUMNS] = value * scales[row]!;
    }
  }
}

function placeOf(row: number, column: number, items: number): number {
  return ((column >> 5) * items + row) * PANEL_COLUMNS + (column & 31);
}

/** All users' rows are in the memory already. */
export function loadUsers(): void {}

export function rankBlock(payload: RankPayload): void {
  const { items, k, layout, memory, regions } = payload;
  const kernels = instantiate(payload.module, memory);
  const scratch = layout.scratch[payload.thread ?? 0]!.at;
  const vectors = regions.vectors[payload.thread ?? 0]!.at;
  const userHashes = i32(memory, layout.userHashes);
  const panels = Math.ceil(items / PANEL_COLUMNS);
  const [rowBytes, panelRowBytes] = [panels * PANEL_COLUMNS * 4, PANEL_COLUMNS * 4];
  const [indptr, indices, values] = [regions.indptr.at, regions.indices.at, regions.values.at];
  takeChunks(memory, layout.counter, payload.to - payload.from, USERS_PER_CHUNK, (from, to) => {
    const [first, behind] = [payload.from + from, payload.from + to];
    for (let p = 0; p < panels; p++) {
      const panel = regions.panels.at + p * items * panelRowBytes;
      const out = vectors + p * panelRowBytes;
      kernels.sparseProduct(indptr, indices, values, first, behind, panel, panelRowBytes, PANEL_COLUMNS, out, rowBytes);
    }
    for (let user = from; user < to; user++) {
      kernels.rankScores(
        vectors + (user - from) * rowBytes,
        items,
        user,
        userHashes[user]!,
        layout.itemHashes.at,
        layout.indptr.at,
        layout.excluded.at,
        k,
        layout.items.at + user * k * 4,
        layout.scores.at + user * k * 4,
        scratch,
      );
    }
  });
}
