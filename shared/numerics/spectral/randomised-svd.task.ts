/** Owns what the threads of a randomised SVD do, one exported function a phase. */
import { randomStream } from '../../random.ts';
import { instantiate } from '../engine/load.ts';
import { f32, f64 } from '../engine/memory.ts';
import { takeChunks } from '../engine/work-sharing.ts';
import { entityKey } from '../entity-key.ts';
import { orthonormalTransform } from './orthonormal.ts';
import { SVD_CHUNK_ROWS, type SvdLayout, type SvdShared } from './randomised-svd.ts';
import { symmetricEigen } from './symmetric-eigen.ts';

type Threaded<More = object> = SvdShared & More & { readonly thread?: number };
interface Sided {
  readonly side: 'users' | 'items';
}

/** Normal draws, from a stream of each item's own key. Threads share the items. */
export function draw(payload: Threaded<{ readonly seed: number; readonly itemKeys: Uint8Array | undefined }>): void {
  const { itemKeys, memory, seed, svd } = payload;
  const basis = f32(memory, svd.items.basis);
  const root = randomStream(seed, 'svd-item');
  takeChunks(memory, svd.counter, svd.items.count, SVD_CHUNK_ROWS, (from, to) => {
    for (let item = from; item < to; item++) {
      const stream = root.derive(...entityKey(itemKeys, item));
      for (let d = 0; d < svd.width; d++) basis[item * svd.width + d] = stream.normal();
    }
  });
}

/** The basis of `side` = its rows times the other side's basis. Threads share the rows. */
export function multiply(payload: Threaded<Sided>): void {
  const { memory, svd } = payload;
  const kernels = instantiate(payload.module, memory);
  const side = svd[payload.side];
  const other = svd[payload.side === 'users' ? 'items' : 'users'];
  const stride = svd.width * 4;
  takeChunks(memory, svd.counter, side.count, SVD_CHUNK_ROWS, (from, to) => {
    kernels.sparseProduct(
      side.rows.indptr.at,
      side.rows.indices.at,
      side.rows.values.at,
      from,
      to,
      other.basis.at,
      stride,
      svd.width,
      side.basis.at + from * stride,
      stride,
    );
  });
}

/** The Gram matrix of each chunk of rows of a basis. Chunk c is always the same rows. */
export function gram(payload: Threaded<Sided>): void {
  const { memory, svd } = payload;
  const kernels = instantiate(payload.module, memory);
  const side = svd[payload.side];
  const partBytes = svd.width * svd.width * 8;
  takeChunks(memory, svd.counter, side.gramChunks, 1, (chunk) => {
    const from = chunk * side.gramChunkRows;
    const to = Math.min(side.count, from + side.gramChunkRows);
    kernels.gramDouble(side.basis.at, from, to, svd.width, svd.gramParts.at + chunk * partBytes);
  });
}

/** The chunks added in their order; the whole symmetric matrix. */
function addChunks(memory: WebAssembly.Memory, svd: SvdLayout, chunks: number): Float64Array {
  const { width } = svd;
  const parts = f64(memory, svd.gramParts);
  const sum = new Float64Array(width * width);
  for (let chunk = 0; chunk < chunks; chunk++) {
    for (let n = 0; n < sum.length; n++) sum[n]! += parts[chunk * sum.length + n]!;
  }
  for (let i = 0; i < width; i++) for (let j = 0; j < i; j++) sum[j * width + i] = sum[i * width + j]!;
  return sum;
}

function writeTransform(memory: WebAssembly.Memory, svd: SvdLayout, at: (row: number, column: number) => number): void {
  const { width } = svd;
  const packed = f32(memory, svd.transform);
  for (let k = 0; k < width; k++) {
    for (let j = 0; j < width; j++) packed[((j >> 3) * width + k) * 8 + (j & 7)] = at(k, j);
  }
}

/** One thread. */
export function findTransform({ memory, side, svd }: SvdShared & Sided): void {
  const transform = orthonormalTransform(addChunks(memory, svd, svd[side].gramChunks), svd.width);
  writeTransform(memory, svd, (k, j) => transform[k * svd.width + j]!);
}

/** Rayleigh-Ritz: from the Gram matrix of rows * basis, the rotation to singular vectors, best first. One thread. */
export function findRotation({ memory, svd }: SvdShared): void {
  const { values, vectors } = symmetricEigen(addChunks(memory, svd, svd.users.gramChunks), svd.width);
  f64(memory, svd.values).set(values.map((value) => Math.max(0, value)));
  writeTransform(memory, svd, (k, j) => vectors[j * svd.width + k]!);
}

/** Each row of a basis times the transform, in place. Threads share the rows. */
export function transformBasis(payload: Threaded<Sided>): void {
  const { memory, svd } = payload;
  const kernels = instantiate(payload.module, memory);
  const side = svd[payload.side];
  const scratch = svd.scratch[payload.thread ?? 0]!.at;
  takeChunks(memory, svd.counter, side.count, SVD_CHUNK_ROWS, (from, to) => {
    kernels.transformRows(side.basis.at, from, to, svd.width, svd.transform.at, scratch);
  });
}
