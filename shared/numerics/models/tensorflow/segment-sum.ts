/**
 * Owns the gradient of `gather` for engines that lack it: a scatter-add kernel named UnsortedSegmentSum.
 * The WASM backend has none, and the plain CPU backend's compares every id with every segment (two hundred
 * seconds a step where this one takes two).
 *
 * Kernels reach into the backends' own memory, through the two methods each backend offers for that.
 */
import type { TensorFlow } from './engine.ts';

type TensorInfo = NonNullable<
  Parameters<Parameters<TensorFlow['registerKernel']>[0]['kernelFunc']>[0]['inputs'][string]
>;
type Numbers = Float32Array | Int32Array | Uint8Array;

interface WasmMemory {
  makeOutput(shape: number[], dtype: string): TensorInfo;
  typedArrayFromHeap(tensor: TensorInfo): Numbers;
}

interface CpuMemory {
  readonly data: { get(dataId: object): { readonly values: Numbers } };
  makeTensorInfo(shape: number[], dtype: string, values: Numbers): TensorInfo;
}

const KERNEL = 'UnsortedSegmentSum';

/** out[ids[r], :] += rows[r, :]; ids outside 0..segments-1 are dropped, as TensorFlow does. O(rows * width). */
function scatterAdd(out: Numbers, rows: Numbers, ids: Numbers, width: number): void {
  const segments = width === 0 ? 0 : out.length / width;
  for (let row = 0; row < ids.length; row++) {
    const id = ids[row]!;
    if (id < 0 || id >= segments) continue;
    const to = id * width;
    const from = row * width;
    for (let column = 0; column < width; column++) out[to + column]! += rows[from + column]!;
  }
}

/** Segment ids are one-dimensional in every use by `gather`; a row is all that lies under one id. */
function layout(x: TensorInfo, ids: TensorInfo, segments: number): { shape: number[]; width: number } {
  const rest = x.shape.slice(ids.shape.length);
  return { shape: [segments, ...rest], width: rest.reduce((product, size) => product * size, 1) };
}

/** Gives the WASM backend the kernel that it lacks. */
export function registerSegmentSumForWasm(tf: TensorFlow): void {
  tf.registerKernel({
    kernelName: KERNEL,
    backendName: 'wasm',
    kernelFunc: ({ inputs, attrs, backend }) => {
      const { x, segmentIds } = inputs as { x: TensorInfo; segmentIds: TensorInfo };
      const memory = backend as WasmMemory;
      const { shape, width } = layout(x, segmentIds, Number(attrs?.['numSegments']));
      // The output comes first: making it may grow the heap, which detaches every view taken before.
      const out = memory.makeOutput(shape, x.dtype);
      const sums = memory.typedArrayFromHeap(out).fill(0);
      scatterAdd(sums, memory.typedArrayFromHeap(x), memory.typedArrayFromHeap(segmentIds), width);
      return out;
    },
  });
}

/** Puts a linear-time kernel in the place of the plain CPU backend's quadratic one. */
export function replaceSegmentSumForCpu(tf: TensorFlow): void {
  if (tf.getKernel(KERNEL, 'cpu') !== undefined) tf.unregisterKernel(KERNEL, 'cpu');
  tf.registerKernel({
    kernelName: KERNEL,
    backendName: 'cpu',
    kernelFunc: ({ inputs, attrs, backend }) => {
      const { x, segmentIds } = inputs as { x: TensorInfo; segmentIds: TensorInfo };
      const memory = backend as CpuMemory;
      const { shape, width } = layout(x, segmentIds, Number(attrs?.['numSegments']));
      const size = shape.reduce((product, extent) => product * extent, 1);
      const sums = x.dtype === 'int32' ? new Int32Array(size) : new Float32Array(size);
      scatterAdd(sums, memory.data.get(x.dataId).values, memory.data.get(segmentIds.dataId).values, width);
      return memory.makeTensorInfo(shape, x.dtype, sums);
    },
  });
}
