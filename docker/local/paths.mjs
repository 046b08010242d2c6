// @ts-check
/**
 * Owns where set-up reads and writes: the project, its state folder, and the user's cache folder.
 *
 * State (keys, databases, services.json) belongs to one checkout and survives a restart; downloads and
 * builds belong to the user and serve every checkout.
 */
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root of the checkout. */
export const projectRoot = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** The Node 24 that the npm package `node` brings. */
export const bundledNode = join(projectRoot, 'node_modules', '.bin', 'node');

/**
 * The state folder: MILLRACE_STATE, else `.millrace` in the project.
 * @param {NodeJS.ProcessEnv} [env]
 */
export function stateFolder(env = process.env) {
  return resolve(env.MILLRACE_STATE || join(projectRoot, '.millrace'));
}

/**
 * Millrace's folder in the user's cache: XDG_CACHE_HOME, else ~/.cache.
 * @param {NodeJS.ProcessEnv} [env]
 */
export function cacheFolder(env = process.env) {
  return join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'millrace');
}
