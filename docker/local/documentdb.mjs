// @ts-check
/**
 * Owns one running instance of FerretDB on PostgreSQL with DocumentDB.
 *
 * Every instance enters the shared tree through mount namespaces of its own, with its own folder bound
 * over the data directory: two checkouts, or tests beside `npm start`, share the programs and nothing
 * else. PostgreSQL listens on a socket inside that folder only; FerretDB alone is on the network, on loopback.
 */
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { FERRETDB_BIN, FERRETDB_VERSION, INSTANCE_MOUNT, POSTGRES_BIN, TEMPLATE } from './documentdb-build.mjs';
import { LOOPBACK } from './ports.mjs';
import { lastLines, run, startService } from './processes.mjs';
import { spokenDuration } from './progress.mjs';
import { messageOf, SetupError } from './setup-error.mjs';
import { mongoCommand, untilAnswered } from './wire.mjs';

const START_MS_MAX = 60_000;
const POLL_MS = 25;
const DATA = `${INSTANCE_MOUNT}/data`;
const SOCKETS = `${INSTANCE_MOUNT}/run`;

/** @typedef {import('./processes.mjs').Service} Service */

/**
 * @param {{build: import('./documentdb-build.mjs').DocumentDbBuild, port: number, folder: string, durable: boolean,
 *   endsWithUs?: boolean}} options durable false: no fsync, for throw-away data
 * @returns {Promise<import('./redis.mjs').RunningStore>}
 */
export async function startDocumentDb({ build, port, folder, durable, endsWithUs = true }) {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  await prepareFolder(build.tree, folder);
  /** @type {Service[]} */
  const services = [];
  try {
    const postgres = await startPostgres({ build, folder, durable, endsWithUs });
    services.unshift(postgres);
    await untilPostgresReady(postgres, folder);
    const ferret = await startFerretDb({ build, folder, port, endsWithUs });
    services.unshift(ferret);
    const limits = { timeoutMs: START_MS_MAX, hasEnded: ferret.hasEnded };
    await untilAnswered(() => mongoCommand({ host: LOOPBACK, port }, 'ping'), limits);
  } catch (error) {
    for (const service of services) await service.stop();
    const last = services[0];
    const told = last && existsSync(last.log) ? `\n    ${lastLines(readFileSync(last.log, 'utf8'))}` : '';
    throw new SetupError(
      `${last?.name ?? 'PostgreSQL'} did not start: ${messageOf(error)}.${told}`,
      `Its logs are in ${folder}.`,
    );
  }
  return {
    url: `mongodb://${LOOPBACK}:${port}`,
    engine: `FerretDB, DocumentDB ${build.extension} built once in ${spokenDuration(build.buildMs)}, cached, port ${port}`,
    version: FERRETDB_VERSION,
    services,
  };
}

/**
 * Gives a new instance its copy of the first database, and the folder to the tree's postgres user.
 * @param {string} tree
 * @param {string} folder
 */
async function prepareFolder(tree, folder) {
  const fresh = !existsSync(join(folder, 'data', 'PG_VERSION'));
  // Sockets of a killed run would only confuse; a half-copied database must not be taken for a whole one.
  rmSync(join(folder, 'run'), { recursive: true, force: true });
  if (fresh) rmSync(join(folder, 'data.new'), { recursive: true, force: true });
  const copy = `cp -a --reflink=auto ${TEMPLATE} ${INSTANCE_MOUNT}/data.new && mv ${INSTANCE_MOUNT}/data.new ${DATA}`;
  const script = `set -e
    chown postgres:postgres ${INSTANCE_MOUNT}
    install -d -o postgres -g postgres -m 700 ${SOCKETS} ${INSTANCE_MOUNT}/ferretdb
    ${fresh ? `rm -rf ${DATA}; ${copy}` : ''}`;
  const { code, output } = await run('unshare', inTree(tree, folder, ['/bin/sh', '-c', script]));
  if (code === 0) return;
  throw new SetupError(
    `The database folder could not be prepared:\n    ${lastLines(output)}`,
    `Is ${folder} writable, and may this user mount (unshare --mount)?`,
  );
}

/**
 * The arguments of `unshare` that run a command inside the tree with the instance's folder bound in. Every
 * step is an exec, so the process that was started is the server itself.
 * @param {string} tree
 * @param {string} folder
 * @param {string[]} command
 */
function inTree(tree, folder, command) {
  const script = `tree=$1; folder=$2; shift 2
    mount -t proc proc "$tree/proc" && mount --rbind /dev "$tree/dev" &&
    mount --bind "$folder" "$tree${INSTANCE_MOUNT}" && exec chroot "$tree" "$@"`;
  return ['--mount', '--propagation', 'private', 'sh', '-c', script, 'sh', tree, folder, ...command];
}

/**
 * Drops root inside the tree. The death signal is set after that, as a change of user clears it (prctl(2)).
 * @param {string} signal
 * @param {boolean} endsWithUs
 */
const asPostgres = (signal, endsWithUs) => [
  ...'/usr/bin/setpriv --reuid postgres --regid postgres --clear-groups'.split(' '),
  ...(endsWithUs ? ['--pdeathsig', signal] : []),
  '--',
];

/**
 * @param {{build: import('./documentdb-build.mjs').DocumentDbBuild, folder: string, durable: boolean, endsWithUs: boolean}} options
 */
function startPostgres({ build, folder, durable, endsWithUs }) {
  const settings = [
    `unix_socket_directories=${SOCKETS}`,
    'max_connections=200',
    'log_min_messages=warning',
    // Both extensions call their own server back (index builds, TTL), over TCP unless told otherwise.
    `cron.host=${SOCKETS}`,
    `documentdb.localhost_connection_string=host=${SOCKETS}`,
    // Its jobs run every few seconds: without this, their history grows without bound.
    'cron.log_run=off',
    'cron.log_statement=off',
    'log_checkpoints=off',
    ...(durable
      ? ['shared_buffers=512MB']
      : ['shared_buffers=256MB', 'fsync=off', 'synchronous_commit=off', 'full_page_writes=off']),
  ];
  const server = [`${POSTGRES_BIN}/postgres`, '-D', DATA, ...settings.flatMap((setting) => ['-c', setting])];
  return startService({
    name: 'PostgreSQL',
    command: 'unshare',
    args: inTree(build.tree, folder, [...asPostgres('INT', endsWithUs), ...server]),
    log: join(folder, 'postgres.log'),
    // SIGINT is PostgreSQL's "fast" shutdown: it does not wait for clients.
    stopSignal: 'SIGINT',
    endsWithUs: false,
  });
}

/**
 * PostgreSQL writes its state into the eighth line of postmaster.pid.
 * @param {Service} service
 * @param {string} folder
 */
async function untilPostgresReady(service, folder) {
  const deadline = Date.now() + START_MS_MAX;
  const pidFile = join(folder, 'data', 'postmaster.pid');
  for (;;) {
    if (existsSync(pidFile)) {
      const lines = readFileSync(pidFile, 'utf8').split('\n');
      if (lines[0] === String(service.pid) && lines[7]?.trim() === 'ready') return;
    }
    if (service.hasEnded()) throw new Error('the server ended at once');
    if (Date.now() > deadline) throw new Error(`not ready after ${START_MS_MAX / 1000} s`);
    await pause(POLL_MS);
  }
}

/**
 * @param {{build: import('./documentdb-build.mjs').DocumentDbBuild, folder: string, port: number, endsWithUs: boolean}} options
 */
function startFerretDb({ build, folder, port, endsWithUs }) {
  const server = [
    FERRETDB_BIN,
    `--listen-addr=${LOOPBACK}:${port}`,
    ...'--no-auth --debug-addr=- --telemetry=disable --log-level=WARN'.split(' '),
    `--postgresql-url=postgres://postgres@/postgres?host=${encodeURIComponent(SOCKETS)}&pool_max_conns=120`,
    `--state-dir=${INSTANCE_MOUNT}/ferretdb`,
  ];
  return startService({
    name: 'FerretDB',
    command: 'unshare',
    args: inTree(build.tree, folder, [...asPostgres('TERM', endsWithUs), ...server]),
    log: join(folder, 'ferretdb.log'),
    env: { ...process.env, DO_NOT_TRACK: '1' },
    endsWithUs: false,
  });
}
