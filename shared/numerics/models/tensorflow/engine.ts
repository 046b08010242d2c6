/**
 * Owns the one copy of TensorFlow.js in a thread: everybody asks here, because two copies are two engines
 * whose tensors do not mix.
 *
 * The ladder is native (libtensorflow through @tensorflow/tfjs-node), then WASM with SIMD, then plain
 * JavaScript. Native is never required: it is looked for in a folder outside the project, which
 * `npm run setup:native` fills. Numerics reads no environment, so callers pass the folder in.
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import util from 'node:util';
import { AppError } from '../../../errors.ts';
import { registerSegmentSumForWasm, replaceSegmentSumForCpu } from './segment-sum.ts';

export type TensorFlow = typeof import('@tensorflow/tfjs');

/** From fastest to slowest. */
export const ENGINES = ['tfjs-node', 'tfjs-wasm', 'tfjs-cpu'] as const;
export type EngineName = (typeof ENGINES)[number];

export interface EngineOptions {
  /** Folder of the built package @tensorflow/tfjs-node; without it native is passed over. */
  readonly nativePath?: string | undefined;
  /** The first engine to try; slower ones follow when it cannot be loaded. Default `tfjs-node`. */
  readonly prefer?: EngineName | undefined;
}

export interface TensorFlowEngine {
  readonly tf: TensorFlow;
  readonly engine: EngineName;
  /** Version of TensorFlow.js, and of libtensorflow where native. */
  readonly version: string;
  /** Why faster engines were not taken, for `doctor` and logs. */
  readonly passedOver: readonly { readonly engine: EngineName; readonly reason: string }[];
}

const require = createRequire(import.meta.url);
let loading: Promise<TensorFlowEngine> | undefined;

/**
 * The engine of this thread, loaded on the first call. Later calls get the same one whatever they ask for:
 * its tensors are already in use. Throws SERVICE_UNAVAILABLE only when not even plain JavaScript loads.
 */
export function loadTensorFlow(options: EngineOptions = {}): Promise<TensorFlowEngine> {
  loading ??= climbDown(options);
  return loading;
}

/** The engine of this thread: two of one name and version train alike. */
export async function nameEngine(payload: {
  readonly tensorflow: EngineOptions;
}): Promise<{ readonly engine: EngineName; readonly version: string }> {
  const { engine, version } = await loadTensorFlow(payload.tensorflow);
  return { engine, version };
}

/** Where the native package lies: `override` (MILLRACE_TFJS_NATIVE), else under the user's cache folder. */
export function nativePackagePath(options: { override?: string | undefined; cacheFolder: string }): string {
  if (options.override !== undefined && options.override !== '') return options.override;
  return join(options.cacheFolder, 'millrace', 'tfjs-native', 'node_modules', '@tensorflow', 'tfjs-node');
}

async function climbDown(options: EngineOptions): Promise<TensorFlowEngine> {
  const passedOver: { engine: EngineName; reason: string }[] = [];
  for (const engine of ENGINES.slice(ENGINES.indexOf(options.prefer ?? 'tfjs-node'))) {
    try {
      const { tf, version } = await LOADERS[engine](options);
      return { tf, engine, version, passedOver };
    } catch (error) {
      passedOver.push({ engine, reason: error instanceof Error ? error.message : String(error) });
    }
  }
  loading = undefined;
  throw new AppError('SERVICE_UNAVAILABLE', {
    message: 'No TensorFlow.js engine could be loaded.',
    details: { passedOver },
  });
}

const LOADERS: Record<EngineName, (options: EngineOptions) => Promise<{ tf: TensorFlow; version: string }>> = {
  'tfjs-node': async ({ nativePath }) => {
    if (nativePath === undefined) throw new Error('no folder of the native package was given');
    mendUtil();
    // libtensorflow reads TF_CPP_MIN_LOG_LEVEL from the C environment, which a thread cannot change: whoever
    // starts the process sets it.
    const tf = require(nativePath) as TensorFlow;
    await tf.ready();
    if (tf.getBackend() !== 'tensorflow') throw new Error(`the native package came up as ${tf.getBackend()}`);
    const native = (tf.version as Record<string, string | undefined>)['tensorflow'];
    const core = tf.version['tfjs-core'];
    return { tf, version: native === undefined ? core : `${core} (libtensorflow ${native})` };
  },
  'tfjs-wasm': async () => {
    const tf = requirePackage();
    require('@tensorflow/tfjs-backend-wasm');
    // Its threads need a browser's workers; in Node they never answer.
    tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);
    registerSegmentSumForWasm(tf);
    if (!(await tf.setBackend('wasm'))) throw new Error('the WASM backend did not start');
    return { tf, version: tf.version['tfjs-core'] };
  },
  'tfjs-cpu': async () => {
    const tf = requirePackage();
    replaceSegmentSumForCpu(tf);
    if (!(await tf.setBackend('cpu'))) throw new Error('the CPU backend did not start');
    return { tf, version: tf.version['tfjs-core'] };
  },
};

/** CommonJS on purpose: the WASM backend then shares the same tfjs-core with the package. */
function requirePackage(): TensorFlow {
  const tf = require('@tensorflow/tfjs') as TensorFlow;
  tf.enableProdMode();
  return tf;
}

/** tfjs-node 4.22 calls two functions that Node 23 removed from `util`. */
function mendUtil(): void {
  const old = util as unknown as Record<string, unknown>;
  old['isNullOrUndefined'] ??= (value: unknown) => value === null || value === undefined;
  old['isArray'] ??= Array.isArray;
}
