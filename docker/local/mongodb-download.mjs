// @ts-check
/**
 * Owns the download of a real mongod through mongodb-memory-server: a pinned copy of its own in the
 * user's cache, tried only where the download host answers.
 */
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withLock } from './lock.mjs';
import { cacheFolder } from './paths.mjs';
import { lastLines, run } from './processes.mjs';
import { messageOf } from './setup-error.mjs';

/** The release of MongoDB that is fetched. */
export const MONGOD_VERSION = '8.0.13';
const DOWNLOAD_HOST = 'https://fastdl.mongodb.org';
const PROBE_MS_MAX = 4_000;
const TEMPLATE = join(dirname(fileURLToPath(import.meta.url)), 'mongodb-memory-server');
const FILES = ['package.json', 'package-lock.json', 'download.mjs'];

/** @param {NodeJS.ProcessEnv} env */
const folderOf = (env) => join(cacheFolder(env), `mongod-${MONGOD_VERSION}`);

/**
 * The program of an earlier download.
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {string | undefined}
 */
export function findDownloadedMongod(env = process.env) {
  try {
    const program = readFileSync(join(folderOf(env), 'program'), 'utf8').trim();
    return existsSync(program) ? program : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Downloads mongod, or says in half a sentence why not.
 * @param {import('./progress.mjs').Step} step
 * @param {NodeJS.ProcessEnv} [env] MONGOMS_DOWNLOAD_MIRROR names another host
 * @returns {Promise<{program: string, reason?: undefined} | {program?: undefined, reason: string}>}
 */
export async function downloadMongod(step, env = process.env) {
  const host = env.MONGOMS_DOWNLOAD_MIRROR || DOWNLOAD_HOST;
  const refusal = await whyUnreachable(host);
  if (refusal) return { reason: `the download from ${host} was refused (${refusal})` };
  const folder = folderOf(env);
  return withLock(`${folder}.lock`, async () => {
    const earlier = findDownloadedMongod(env);
    if (earlier) return { program: earlier };
    step.note(`downloads MongoDB ${MONGOD_VERSION} once, into ${folder}`);
    return fetchInto(folder, step, env);
  });
}

/**
 * @param {string} folder
 * @param {import('./progress.mjs').Step} step
 * @param {NodeJS.ProcessEnv} env
 */
async function fetchInto(folder, step, env) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const file of FILES) copyFileSync(join(TEMPLATE, file), join(folder, file));
  step.update(0.1, 'mongodb-memory-server');
  const installed = await run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: folder, env });
  if (installed.code !== 0)
    return { reason: `mongodb-memory-server did not install (${lastLines(installed.output, 1)})` };
  step.update(0.3, `downloading MongoDB ${MONGOD_VERSION}`);
  const result = join(folder, 'downloaded');
  const fetched = await run(process.execPath, ['download.mjs', MONGOD_VERSION, folder, result], { cwd: folder, env });
  if (fetched.code !== 0 || !existsSync(result)) {
    return { reason: `the download of MongoDB ${MONGOD_VERSION} failed (${lastLines(fetched.output, 1)})` };
  }
  const program = readFileSync(result, 'utf8').trim();
  const works = await run(program, ['--version']);
  if (works.code !== 0) return { reason: `the downloaded mongod does not run here (${lastLines(works.output, 1)})` };
  // Last, and by rename: what is not named here counts as not downloaded.
  writeFileSync(join(folder, 'program.new'), `${program}\n`);
  renameSync(join(folder, 'program.new'), join(folder, 'program'));
  return { program };
}

/**
 * @param {string} host
 * @returns {Promise<string | undefined>}
 */
async function whyUnreachable(host) {
  try {
    const answer = await fetch(host, { method: 'HEAD', redirect: 'manual', signal: AbortSignal.timeout(PROBE_MS_MAX) });
    return answer.status < 400 || answer.status === 404 ? undefined : `HTTP ${answer.status}`;
  } catch (error) {
    return messageOf(error);
  }
}
