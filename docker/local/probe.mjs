// @ts-check
/**
 * Owns what set-up knows about this machine, as data for `millrace doctor`; run with --json it prints that.
 *
 * It looks and never mends: nothing is installed, started or written.
 */
import { existsSync, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findChromium } from './chromium.mjs';
import { findBuild, whyNotBuildable } from './documentdb-build.mjs';
import { findDownloadedMongod } from './mongodb-download.mjs';
import { nativePackage, nativeVersion } from './native-location.mjs';
import { whyStale } from './packages.mjs';
import { bundledNode, cacheFolder, projectRoot, stateFolder } from './paths.mjs';
import { configuredPort, DEFAULT_PORTS, isPortFree } from './ports.mjs';
import { findOnPath, isAlive, run } from './processes.mjs';
import { KEY_NAMES, readServices } from './state.mjs';
import { messageOf } from './setup-error.mjs';

/**
 * @typedef {object} Finding
 * @property {string} name
 * @property {'ready' | 'missing' | 'failed'} state
 * @property {string} [version]
 * @property {string} detail
 * @property {string} [todo] the command that mends it
 * @property {boolean} [optional] nothing stops without it
 */

const SETS_UP = 'npm start sets it up';

/** @returns {Promise<Finding[]>} */
export async function probe(env = process.env) {
  return [
    await probeNode(),
    probePackages(),
    probeKernels(),
    await probeRedis(env),
    await probeMongo(env),
    probeNative(env),
    probeChromium(env),
    probeKeys(env),
    ...(await probePorts(env)),
    probeCache(env),
  ];
}

/**
 * The first line of `PROGRAM --version`, or what went wrong.
 * @param {string} program
 * @returns {Promise<{version: string} | {failure: string}>}
 */
async function versionOf(program) {
  const { code, output } = await run(program, ['--version']);
  const found = /(\d+\.\d+(?:\.\d+)*)/.exec(output)?.[1];
  return code === 0 && found ? { version: found } : { failure: output.trim().slice(0, 200) };
}

/** @returns {Promise<Finding>} */
async function probeNode() {
  const name = 'Node 24';
  if (!existsSync(bundledNode)) return { name, state: 'missing', detail: 'not in node_modules', todo: 'npm start' };
  const found = await versionOf(bundledNode);
  if ('failure' in found) return { name, state: 'failed', detail: found.failure, todo: 'npm rebuild node' };
  return { name, state: 'ready', ...found, detail: `the machine's own is ${process.versions.node}` };
}

/** @returns {Finding} */
function probePackages() {
  const stale = whyStale();
  if (stale) return { name: 'packages', state: 'missing', detail: stale, todo: 'npm ci' };
  return { name: 'packages', state: 'ready', detail: 'as in package-lock.json' };
}

/** @returns {Finding} */
function probeKernels() {
  const folder = join(projectRoot, 'shared', 'numerics', 'kernels', 'build');
  const modules = existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith('.wasm')) : [];
  if (modules.length > 0) return { name: 'kernels', state: 'ready', detail: modules.join(', ') };
  return { name: 'kernels', state: 'missing', detail: 'not built yet', todo: 'npm run build:kernels' };
}

/**
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<Finding>}
 */
async function probeRedis(env) {
  const name = 'Redis';
  if (env.REDIS_URL) return { name, state: 'ready', detail: 'REDIS_URL is set' };
  const program = findOnPath('redis-server', env) ?? findOnPath('valkey-server', env);
  if (!program)
    return { name, state: 'missing', detail: 'neither redis-server nor valkey-server on PATH', todo: SETS_UP };
  const found = await versionOf(program);
  if ('failure' in found) return { name, state: 'failed', detail: found.failure, todo: 'install redis-server again' };
  return { name, state: 'ready', ...found, detail: program };
}

/**
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<Finding>}
 */
async function probeMongo(env) {
  const name = 'MongoDB';
  if (env.MONGODB_URL) return { name, state: 'ready', detail: 'MONGODB_URL is set' };
  const program = findOnPath('mongod', env) ?? findDownloadedMongod(env);
  if (program) {
    const found = await versionOf(program);
    if ('failure' in found) return { name, state: 'failed', detail: found.failure, todo: 'install mongod again' };
    return { name, state: 'ready', ...found, detail: program };
  }
  const build = findBuild(env);
  if (build)
    return { name, state: 'ready', version: build.extension, detail: `FerretDB on DocumentDB in ${build.folder}` };
  const obstacle = whyNotBuildable(env);
  if (obstacle) return { name, state: 'missing', detail: obstacle, todo: 'install MongoDB 8 or set MONGODB_URL' };
  return { name, state: 'missing', detail: 'no mongod; FerretDB is not built yet', todo: SETS_UP };
}

/**
 * @param {NodeJS.ProcessEnv} env
 * @returns {Finding}
 */
function probeNative(env) {
  const name = 'TensorFlow native';
  const version = nativeVersion(env);
  if (version) return { name, state: 'ready', version, detail: nativePackage(env), optional: true };
  const detail = 'the two-tower model trains on WebAssembly, slower';
  return { name, state: 'missing', detail, todo: 'npm run setup:native', optional: true };
}

/**
 * @param {NodeJS.ProcessEnv} env
 * @returns {Finding}
 */
function probeChromium(env) {
  const program = findChromium(env);
  if (program) return { name: 'Chromium', state: 'ready', detail: program, optional: true };
  const todo = 'apt-get install chromium';
  return { name: 'Chromium', state: 'missing', detail: 'browser tests are skipped', todo, optional: true };
}

/**
 * @param {NodeJS.ProcessEnv} env
 * @returns {Finding}
 */
function probeKeys(env) {
  const folder = join(stateFolder(env), 'keys');
  const missing = KEY_NAMES.filter((key) => !existsSync(join(folder, `${key}.key`)));
  if (missing.length > 0)
    return { name: 'keys', state: 'missing', detail: missing.join(', '), todo: 'npm start makes them' };
  const open = KEY_NAMES.filter((key) => (lstatSync(join(folder, `${key}.key`)).mode & 0o077) !== 0);
  if (open.length === 0) return { name: 'keys', state: 'ready', detail: folder };
  return {
    name: 'keys',
    state: 'failed',
    detail: `others may read: ${open.join(', ')}`,
    todo: `chmod 600 ${folder}/*.key`,
  };
}

/**
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<Finding[]>}
 */
async function probePorts(env) {
  const services = readServices(stateFolder(env));
  const running = services?.owner !== undefined && (await isAlive(services.owner));
  if (running) return [{ name: 'ports', state: 'ready', detail: `in use by Millrace, process ${services.owner.pid}` }];
  const wanted = /** @type {(keyof typeof DEFAULT_PORTS)[]} */ (Object.keys(DEFAULT_PORTS));
  return Promise.all(
    wanted.map(async (service) => {
      const name = `port of ${DEFAULT_PORTS[service].name}`;
      try {
        const port = configuredPort(service, env);
        if (await isPortFree(port)) return { name, state: 'ready', detail: `${port} is free` };
        const todo = `${DEFAULT_PORTS[service].variable}=PORT npm start`;
        return { name, state: 'failed', detail: `${port} is used by another program`, todo };
      } catch (error) {
        return { name, state: 'failed', detail: messageOf(error) };
      }
    }),
  );
}

/**
 * @param {NodeJS.ProcessEnv} env
 * @returns {Finding}
 */
function probeCache(env) {
  const folder = cacheFolder(env);
  if (!existsSync(folder)) return { name: 'cache', state: 'ready', detail: `${folder} is empty` };
  const parts = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => `${entry.name} ${Math.round(bytesIn(join(folder, entry.name)) / 1e6)} MB`);
  return { name: 'cache', state: 'ready', detail: [folder, ...parts].join(', ') };
}

/**
 * Bytes of all files below; links are not followed.
 * @param {string} folder
 * @returns {number}
 */
function bytesIn(folder) {
  let sum = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    try {
      if (entry.isDirectory()) sum += bytesIn(path);
      else if (entry.isFile()) sum += lstatSync(path).size;
    } catch {
      // Gone meanwhile, or not ours to read.
    }
  }
  return sum;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const findings = await probe();
  if (process.argv.includes('--json')) process.stdout.write(`${JSON.stringify(findings)}\n`);
  else
    for (const { name, state, version, detail } of findings)
      console.log([name, state, version, detail].filter(Boolean).join('  '));
}
