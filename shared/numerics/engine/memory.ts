/**
 * Owns the layout of a kernel's shared memory: arrays one after another, 64-byte aligned, above the module's static area. The
 * whole need is summed and compared with a declared bound before a byte is allocated.
 */
import { AppError } from '../../errors.ts';
import { STATIC_AREA_BYTES } from './load.ts';

const PAGE_BYTES = 65_536;
const ALIGNMENT_BYTES = 64;
/** What a 32-bit module can address. */
const ADDRESSABLE_BYTES = 65_535 * PAGE_BYTES;

/** Bound where a caller declares none: half of what a module can address. */
export const MEMORY_BYTES_MAX_DEFAULT = 2 * 1024 ** 3;

/** Rows of factors are padded to this many floats, so that each starts on a cache line. */
export const WIDTH_MULTIPLE = 16;

export function paddedWidth(width: number): number {
  return Math.ceil(width / WIDTH_MULTIPLE) * WIDTH_MULTIPLE;
}

/** Where one array lies: byte offset and number of elements. Structured-cloneable. */
export interface Region {
  readonly at: number;
  readonly length: number;
}

/** Collects the arrays, then allocates them at once. */
export class MemoryPlan {
  #end = STATIC_AREA_BYTES;

  /** Bytes that the plan needs so far, the static area included. */
  get bytes(): number {
    return this.#end;
  }

  /** Reserves `length` elements of `elementBytes` each. */
  reserve(length: number, elementBytes: 1 | 4 | 8 = 4): Region {
    if (!Number.isSafeInteger(length) || length < 0) throw new RangeError(`MemoryPlan.reserve(${length})`);
    const at = this.#end;
    this.#end = Math.ceil((at + length * elementBytes) / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
    return { at, length };
  }

  /**
   * Allocates zeroed shared memory for the plan.
   * @throws AppError NUMERICS_MEMORY_LIMIT when the need is above `bytesMax` or above what the engine can address.
   */
  allocate(bytesMax: number = MEMORY_BYTES_MAX_DEFAULT): WebAssembly.Memory {
    const limit = Math.min(bytesMax, ADDRESSABLE_BYTES);
    // A few bytes beyond the last array: kernels load whole vectors.
    const pages = Math.ceil((this.#end + ALIGNMENT_BYTES) / PAGE_BYTES);
    const needBytes = pages * PAGE_BYTES;
    if (needBytes > limit) throw memoryLimit(needBytes, limit);
    try {
      return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    } catch (cause) {
      throw memoryLimit(needBytes, limit, cause);
    }
  }
}

/**
 * For what lies beside a plan, such as results.
 * @throws AppError NUMERICS_MEMORY_LIMIT when `needBytes` is above `bytesMax`.
 */
export function checkMemory(needBytes: number, bytesMax: number = MEMORY_BYTES_MAX_DEFAULT): void {
  if (needBytes > bytesMax) throw memoryLimit(needBytes, bytesMax);
}

function memoryLimit(needBytes: number, limitBytes: number, cause?: unknown): AppError {
  const [need, limit] = [needBytes, limitBytes].map(
    (bytes) => `${Math.ceil(bytes / 2 ** 20).toLocaleString('en')} MiB`,
  );
  return new AppError('NUMERICS_MEMORY_LIMIT', {
    message: `The computation needs ${need} of memory, its bound is ${limit}.`,
    details: { needBytes, limitBytes },
    ...(cause === undefined ? {} : { cause }),
  });
}

export function f32(memory: WebAssembly.Memory, region: Region): Float32Array<SharedArrayBuffer> {
  return new Float32Array(memory.buffer, region.at, region.length);
}

export function f64(memory: WebAssembly.Memory, region: Region): Float64Array<SharedArrayBuffer> {
  return new Float64Array(memory.buffer, region.at, region.length);
}

export function i32(memory: WebAssembly.Memory, region: Region): Int32Array<SharedArrayBuffer> {
  return new Int32Array(memory.buffer, region.at, region.length);
}
