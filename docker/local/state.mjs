// @ts-check
/**
 * Owns the state folder of a checkout: the keys, and services.json, which says what runs and for whom.
 *
 * services.json outlives a killed run: the next one finds in it what is still alive, and stops exactly that.
 */
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { identify, isAlive, stopProcess } from './processes.mjs';
import { SetupError } from './setup-error.mjs';

/** @typedef {import('./processes.mjs').ProcessIdentity} ProcessIdentity */
/** @typedef {import('./redis.mjs').RunningStore} RunningStore */

export const KEY_NAMES = /** @type {const} */ (['master', 'tenant', 'seal']);
const KEY_BYTES = 32;

/**
 * @typedef {object} ServicesFile
 * @property {string} redisUrl
 * @property {string} mongodbUrl
 * @property {string} redis engine and version, in words
 * @property {string} mongodb
 * @property {ProcessIdentity} owner the process that started them and will stop them
 * @property {(ProcessIdentity & {name: string, stopSignal: NodeJS.Signals})[]} processes in the order to stop them
 */

/**
 * Makes the keys of a state folder that are missing.
 * @param {string} state
 */
export const ensureKeys = (state) => ensureKeysIn(join(state, 'keys'));

/**
 * Makes the keys that are missing: 32 random bytes as hex, readable by this user only.
 * @param {string} folder
 * @returns {string[]} the names of the keys made now
 */
export function ensureKeysIn(folder) {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  chmodSync(folder, 0o700);
  const made = KEY_NAMES.filter((name) => !existsSync(join(folder, `${name}.key`)));
  for (const name of made) {
    // Written aside and renamed: a key that was cut off half-way would lock its data for good.
    const file = join(folder, `${name}.key`);
    writeFileSync(`${file}.new`, `${newKey()}\n`, { mode: 0o600 });
    renameSync(`${file}.new`, file);
  }
  for (const name of KEY_NAMES) chmodSync(join(folder, `${name}.key`), 0o600);
  return made;
}

/** A fresh key, as hex. */
export const newKey = () => randomBytes(KEY_BYTES).toString('hex');

/** @param {string} state */
const servicesPath = (state) => join(state, 'services.json');

/**
 * @param {string} state
 * @returns {ServicesFile | undefined}
 */
export function readServices(state) {
  try {
    return JSON.parse(readFileSync(servicesPath(state), 'utf8'));
  } catch {
    return undefined;
  }
}

/**
 * @param {string} state
 * @param {{redis: RunningStore, mongodb: RunningStore}} stores
 */
export async function writeServices(state, { redis, mongodb }) {
  const owner = await identify(process.pid);
  const processes = [];
  for (const service of [...mongodb.services, ...redis.services]) {
    const identity = await service.identity();
    if (identity) processes.push({ name: service.name, stopSignal: service.stopSignal, ...identity });
  }
  const content = {
    redisUrl: redis.url,
    mongodbUrl: mongodb.url,
    redis: `${redis.version} ${redis.engine}`,
    mongodb: `${mongodb.version} ${mongodb.engine}`,
    owner,
    processes,
  };
  const file = servicesPath(state);
  writeFileSync(`${file}.new`, `${JSON.stringify(content, undefined, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

/** @param {string} state */
export function removeServices(state) {
  rmSync(servicesPath(state), { force: true });
}

/**
 * Clears up after a run that was killed: its servers that still live are stopped, each recognised by pid,
 * start time and command line. Refused when the run itself is alive.
 * @param {string} state
 * @returns {Promise<string[]>} the names of what was stopped
 */
export async function recoverState(state) {
  const left = readServices(state);
  if (!left) return [];
  if (left.owner && (await isAlive(left.owner))) {
    throw new SetupError(
      `Millrace already runs here, as process ${left.owner.pid} (${left.redisUrl}, ${left.mongodbUrl}).`,
      `Stop it (Ctrl-C there, or: kill ${left.owner.pid}), or give this one a state folder of its own: MILLRACE_STATE=DIR.`,
    );
  }
  const stopped = [];
  for (const known of left.processes ?? []) {
    if (!(await isAlive(known))) continue;
    await stopProcess(known, known.stopSignal);
    stopped.push(known.name);
  }
  removeServices(state);
  return stopped;
}
