// @ts-check
/** Owns where TensorFlow's native engine lies, so that set-up, the loader and `millrace doctor` agree. */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { cacheFolder } from './paths.mjs';

/** The folder that `npm run setup:native` fills. */
export function nativeFolder(env = process.env) {
  return join(cacheFolder(env), 'tfjs-native');
}

/** The native package: MILLRACE_TFJS_NATIVE, else the one in the user's cache. It need not exist. */
export function nativePackage(env = process.env) {
  if (env.MILLRACE_TFJS_NATIVE) return resolve(env.MILLRACE_TFJS_NATIVE);
  return join(nativeFolder(env), 'node_modules', '@tensorflow', 'tfjs-node');
}

/**
 * The version of the native package when its binding is there.
 * @returns {string | undefined}
 */
export function nativeVersion(env = process.env) {
  const folder = nativePackage(env);
  if (!existsSync(join(folder, 'lib', 'napi-v8', 'tfjs_binding.node'))) return undefined;
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).version;
}
