/** Owns where benchmarks look for TensorFlow's native engine: where `npm run setup:native` puts it. Without it they run on WASM. */
import { dirname } from 'node:path';
import { cacheFolder } from '../../docker/local/paths.mjs';
import { type EngineOptions, nativePackagePath } from '../../shared/numerics/models/tensorflow/engine.ts';

export function nativeTensorFlow(): EngineOptions {
  const override = process.env['MILLRACE_TFJS_NATIVE'];
  return { nativePath: nativePackagePath({ override, cacheFolder: dirname(cacheFolder()) }) };
}
