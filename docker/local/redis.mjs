// @ts-check
/**
 * Owns the choice and the start of Redis: REDIS_URL, else redis-server or valkey-server on PATH, else
 * Debian's package (as root), else one line that says what to install.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { canInstall, installPackages } from './apt.mjs';
import { LOOPBACK } from './ports.mjs';
import { findOnPath, lastLines, startService } from './processes.mjs';
import { messageOf, SetupError } from './setup-error.mjs';
import { redisVersion, untilAnswered } from './wire.mjs';

const START_MS_MAX = 60_000;
const SERVERS = ['redis-server', 'valkey-server'];

/**
 * @typedef {object} RunningStore
 * @property {string} url
 * @property {string} engine what was chosen, in words
 * @property {string} version
 * @property {import('./processes.mjs').Service[]} services what we started, in the order to stop it
 */

/**
 * The user's own Redis, when REDIS_URL names one.
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {Promise<RunningStore | undefined>}
 */
export async function givenRedis(env = process.env) {
  const url = env.REDIS_URL;
  if (!url) return undefined;
  try {
    const version = await redisVersion(url, env);
    return { url, engine: 'REDIS_URL', version, services: [] };
  } catch (error) {
    throw new SetupError(
      `REDIS_URL is set, but ${redact(url)} does not answer: ${messageOf(error)}.`,
      'Start that Redis or correct REDIS_URL; without REDIS_URL set-up starts one itself.',
    );
  }
}

/**
 * The server's program on this machine; installs it where that is possible.
 * @param {import('./progress.mjs').Step} step
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {Promise<string>}
 */
export async function redisProgram(step, env = process.env) {
  const found = () => SERVERS.map((name) => findOnPath(name, env)).find((file) => file !== undefined);
  const present = found();
  if (present) return present;
  if (canInstall(env)) {
    await installPackages(['redis-server'], step);
    const installed = found();
    if (installed) return installed;
  }
  throw new SetupError(
    'No Redis: REDIS_URL is not set and neither redis-server nor valkey-server is on PATH.',
    'Install one (Debian, Ubuntu: sudo apt-get install redis-server; macOS: brew install redis) or set REDIS_URL.',
  );
}

/**
 * Starts Redis on loopback. Jobs must survive a restart and must never be evicted: append-only file, noeviction.
 * @param {{program: string, port: number, folder: string, durable: boolean, endsWithUs?: boolean}} options
 * @returns {Promise<RunningStore>}
 */
export async function startRedis({ program, port, folder, durable, endsWithUs = true }) {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const log = join(folder, 'server.log');
  const service = await startService({
    name: 'Redis',
    command: program,
    args: [
      ['--port', String(port), '--bind', LOOPBACK, '--protected-mode', 'yes', '--daemonize', 'no'],
      ['--dir', folder, '--appendonly', 'yes', '--appendfsync', durable ? 'everysec' : 'no'],
      ['--maxmemory-policy', 'noeviction', '--save', ''],
    ].flat(),
    log,
    endsWithUs,
  });
  const url = `redis://${LOOPBACK}:${port}`;
  try {
    const version = await untilAnswered(() => redisVersion(url), {
      timeoutMs: START_MS_MAX,
      hasEnded: service.hasEnded,
    });
    const name = program.endsWith('valkey-server') ? 'valkey-server' : 'redis-server';
    return { url, engine: `system ${name}, port ${port}`, version, services: [service] };
  } catch (error) {
    await service.stop();
    throw new SetupError(
      `Redis did not start: ${messageOf(error)}.\n    ${lastLines(readFileSync(log, 'utf8'))}`,
      `Its whole log is ${log}.`,
    );
  }
}

/**
 * An address without its password.
 * @param {string} url
 */
export function redact(url) {
  return url.replace(/\/\/[^@/]*@/, '//***@');
}
