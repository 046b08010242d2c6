/** Each engine is loaded in a thread of its own, because a thread has one engine for life. */
import { Worker } from 'node:worker_threads';
import { expect, expectTypeOf, test } from 'vitest';
import { type EngineName, type EngineOptions, loadTensorFlow, nativePackagePath } from './engine.ts';

interface Seen {
  readonly engine: EngineName;
  readonly passedOver: readonly { engine: EngineName; reason: string }[];
  readonly same: boolean;
  readonly gradient: number[][];
  readonly kept: number;
}

/** Loads the engine twice at once, differentiates a gather with a repeated id, and counts what is left. */
const PROBE = `
import { parentPort, workerData } from 'node:worker_threads';
const { loadTensorFlow } = await import(workerData.module);
const [one, two] = await Promise.all([loadTensorFlow(workerData.options), loadTensorFlow({ prefer: 'tfjs-cpu' })]);
const { tf } = one;
const before = tf.memory().numTensors;
const gradient = tf.tidy(() => {
  const square = (x) => tf.gather(x, tf.tensor1d([2, 0, 2], 'int32')).square().sum();
  return tf.grad(square)(tf.tensor2d([[1, 2], [3, 4], [5, 6]])).arraySync();
});
parentPort.postMessage({
  engine: one.engine, passedOver: one.passedOver, same: one === two && one.tf === two.tf, gradient,
  kept: tf.memory().numTensors - before,
});
`;

async function probe(options: EngineOptions): Promise<Seen> {
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(PROBE)}`), {
    workerData: { module: new URL('./engine.ts', import.meta.url).href, options },
    execArgv: [],
  });
  try {
    return await new Promise<Seen>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
  } finally {
    await worker.terminate();
  }
}

test.each(['tfjs-wasm', 'tfjs-cpu'] as const)('%s sums the gradients of rows gathered twice', async (prefer) => {
  const seen = await probe({ prefer });
  expect(seen.engine).toBe(prefer);
  // d/dx of the sum of squares: 2x for each time a row was gathered, and nothing for the row that was not.
  expect(seen.gradient).toEqual([
    [2, 4],
    [0, 0],
    [20, 24],
  ]);
  expect(seen.kept).toBe(0);
});

test('concurrent callers get one and the same engine, whatever the second asks for', async () => {
  expect((await probe({ prefer: 'tfjs-wasm' })).same).toBe(true);
});

test('a missing native package is passed over with its reason, and WASM serves', async () => {
  const seen = await probe({ nativePath: '/nowhere/tfjs-node' });
  expect(seen.engine).toBe('tfjs-wasm');
  expect(seen.passedOver).toEqual([{ engine: 'tfjs-node', reason: expect.stringContaining('/nowhere/tfjs-node') }]);
});

test('the native package lies in the cache folder unless it is named', () => {
  const cached = nativePackagePath({ cacheFolder: '/cache' });
  expect(cached).toBe('/cache/millrace/tfjs-native/node_modules/@tensorflow/tfjs-node');
  expect(nativePackagePath({ override: '/own', cacheFolder: '/cache' })).toBe('/own');
  expectTypeOf(loadTensorFlow).returns.resolves.toHaveProperty('tf');
});
