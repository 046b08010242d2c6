/**
 * Owns finding the built kernels: relaxed SIMD where the engine has it, plain SIMD where it has not or where equal bytes on
 * every CPU are asked for. Modules are compiled once per process and handed to threads, which share the code.
 */
import { readFile } from 'node:fs/promises';
import { AppError } from '../../errors.ts';
import type { KernelExports } from './exports.ts';

export type EngineName = 'wasm-relaxed-simd' | 'wasm-simd';

export interface Engine {
  readonly name: EngineName;
  /** Structured-cloneable: goes into a task's payload as it is. */
  readonly module: WebAssembly.Module;
}

/** Bytes from 0 that belong to the module's static data; MemoryPlan starts above. Checked when a module is loaded. */
export const STATIC_AREA_BYTES = 65_536;

const FILES: Record<EngineName, string> = {
  'wasm-relaxed-simd': 'kernels-relaxed-simd.wasm',
  'wasm-simd': 'kernels-simd.wasm',
};

/** The smallest module that uses f32x4.relaxed_madd. */
const RELAXED_PROBE = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 19, 1, 17, 0, 65, 0, 253, 17, 65, 0, 253, 17, 65,
  0, 253, 17, 253, 133, 2, 11,
]);

export function hasRelaxedSimd(): boolean {
  return WebAssembly.validate(RELAXED_PROBE);
}

const loading = new Map<EngineName, Promise<Engine>>();

/**
 * The compiled kernels.
 * @throws AppError KERNEL_MISSING when they are not built.
 */
export async function loadEngine(options: { readonly deterministic?: boolean | undefined } = {}): Promise<Engine> {
  const name: EngineName = !options.deterministic && hasRelaxedSimd() ? 'wasm-relaxed-simd' : 'wasm-simd';
  let engine = loading.get(name);
  if (engine === undefined) {
    engine = compile(name);
    loading.set(name, engine);
    // A build that comes later must be found.
    engine.catch(() => loading.delete(name));
  }
  return engine;
}

async function compile(name: EngineName): Promise<Engine> {
  const file = new URL(`../kernels/build/${FILES[name]}`, import.meta.url);
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = await readFile(file);
  } catch (cause) {
    throw new AppError('KERNEL_MISSING', { cause, details: { file: FILES[name] } });
  }
  const module = await WebAssembly.compile(bytes);
  const memory = new WebAssembly.Memory({ initial: 2, maximum: 2, shared: true });
  const end = instantiate(module, memory).staticEnd();
  if (end > STATIC_AREA_BYTES) {
    throw new AppError('INTERNAL', { message: `The kernels' static data ends at ${end}, above the static area.` });
  }
  return { name, module };
}

/** An instance over `memory`, for use in one thread. Cheap (well under a millisecond): the code is compiled already. */
export function instantiate(module: WebAssembly.Module, memory: WebAssembly.Memory): KernelExports {
  const abort = () => {
    throw new Error('A kernel aborted.');
  };
  return new WebAssembly.Instance(module, { env: { memory, abort } }).exports as unknown as KernelExports;
}
