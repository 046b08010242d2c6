// @ts-check
/**
 * Owns the choice of a MongoDB, in this order: MONGODB_URL; a mongod on PATH; the download of
 * mongodb-memory-server; FerretDB on DocumentDB. A step that is not possible says why in one line.
 */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureBuild, findBuild, whyNotBuildable } from './documentdb-build.mjs';
import { startDocumentDb } from './documentdb.mjs';
import { downloadMongod, findDownloadedMongod } from './mongodb-download.mjs';
import { LOOPBACK } from './ports.mjs';
import { findOnPath, lastLines, startService } from './processes.mjs';
import { redact } from './redis.mjs';
import { messageOf, SetupError } from './setup-error.mjs';
import { mongoCommand, untilAnswered } from './wire.mjs';

const START_MS_MAX = 60_000;

/** @typedef {import('./redis.mjs').RunningStore} RunningStore */
/** @typedef {import('./progress.mjs').Step} Step */
/**
 * @typedef {{port: number, folder: string, durable: boolean, endsWithUs?: boolean}} StartOptions
 * @typedef {(options: StartOptions) => Promise<RunningStore>} Starter
 */

/**
 * The user's own MongoDB, when MONGODB_URL names one.
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {Promise<RunningStore | undefined>}
 */
export async function givenMongo(env = process.env) {
  const url = env.MONGODB_URL;
  if (!url) return undefined;
  const direct = /^mongodb:\/\/(?:[^@/]*@)?([^,/?:]+)(?::(\d+))?(?:[,/?].*)?$/.exec(url);
  if (!direct) {
    if (url.startsWith('mongodb+srv://')) return { url, engine: 'MONGODB_URL', version: '', services: [] };
    throw new SetupError('MONGODB_URL is not a MongoDB address.', 'It begins with mongodb:// or mongodb+srv://.');
  }
  // TLS servers are asked by the driver later; by hand we only speak plainly.
  if (/[?&](tls|ssl)=true/.test(url)) return { url, engine: 'MONGODB_URL', version: '', services: [] };
  try {
    const address = { host: /** @type {string} */ (direct[1]), port: Number(direct[2] ?? 27_017) };
    const { version } = await mongoCommand(address, 'buildInfo');
    return { url, engine: 'MONGODB_URL', version: String(version ?? ''), services: [] };
  } catch (error) {
    throw new SetupError(
      `MONGODB_URL is set, but ${redact(url)} does not answer: ${messageOf(error)}.`,
      'Start that MongoDB or correct MONGODB_URL; without MONGODB_URL set-up starts one itself.',
    );
  }
}

/**
 * Finds, downloads or builds a MongoDB; gives what starts it.
 * @param {Step} step
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {Promise<Starter>}
 */
export async function mongoStarter(step, env = process.env) {
  const onPath = findOnPath('mongod', env);
  if (onPath) return (options) => startMongod(onPath, 'system mongod', options);
  const downloaded = findDownloadedMongod(env);
  if (downloaded) return (options) => startMongod(downloaded, 'downloaded mongod', options);
  const cached = findBuild(env);
  if (cached) return (options) => startDocumentDb({ build: cached, ...options });

  const download = await downloadMongod(step, env);
  const { program } = download;
  if (program) return (options) => startMongod(program, 'downloaded mongod', options);
  step.note(`no mongod on PATH; ${download.reason}`);

  const obstacle = whyNotBuildable(env);
  if (obstacle) {
    throw new SetupError(
      `No MongoDB: MONGODB_URL is not set, no mongod is on PATH, ${download.reason}, and ${obstacle}.`,
      'Install MongoDB 8 (https://www.mongodb.com/docs/manual/installation/) or set MONGODB_URL.',
    );
  }
  const build = await ensureBuild(step);
  return (options) => startDocumentDb({ build, ...options });
}

/**
 * Starts a real mongod on a private data folder.
 * @param {string} program
 * @param {string} words
 * @param {StartOptions} options
 * @returns {Promise<RunningStore>}
 */
export async function startMongod(program, words, { port, folder, endsWithUs = true }) {
  const data = join(folder, 'mongod');
  mkdirSync(data, { recursive: true, mode: 0o700 });
  const log = join(folder, 'mongod.log');
  const service = await startService({
    name: 'MongoDB',
    command: program,
    args: ['--port', String(port), '--bind_ip', LOOPBACK, '--dbpath', data, '--nounixsocket'],
    log,
    endsWithUs,
  });
  try {
    const limits = { timeoutMs: START_MS_MAX, hasEnded: service.hasEnded };
    const { version } = await untilAnswered(() => mongoCommand({ host: LOOPBACK, port }, 'buildInfo'), limits);
    const url = `mongodb://${LOOPBACK}:${port}`;
    return { url, engine: `${words}, port ${port}`, version: String(version), services: [service] };
  } catch (error) {
    await service.stop();
    const told = existsSync(log) ? `\n    ${lastLines(readFileSync(log, 'utf8'))}` : '';
    throw new SetupError(`${program} did not start: ${messageOf(error)}.${told}`, `Its whole log is ${log}.`);
  }
}
