// @ts-check
/**
 * Owns the build of FerretDB on PostgreSQL with DocumentDB, for machines that reach nothing but package
 * registries: once per user, in the cache folder, atomically (a half-built one is never seen).
 *
 * The extension is packaged for Debian sid only and needs its libc, so it lives in a minimal sid tree
 * entered by chroot; FerretDB is compiled beside it. All mounts are made in a private mount namespace:
 * whatever happens, nothing stays mounted, and deleting the tree can never reach the machine's /dev.
 */
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { canInstall, installPackages, showStatus } from './apt.mjs';
import { withLock } from './lock.mjs';
import { cacheFolder } from './paths.mjs';
import { findOnPath, lastLines, run } from './processes.mjs';
import { silentStep, spokenDuration } from './progress.mjs';
import { SetupError } from './setup-error.mjs';

/** @typedef {import('./progress.mjs').Step} Step */

export const FERRETDB_VERSION = '2.7.0';
/** The upstream version of the extension that this FerretDB was tried with; Debian's own revision may differ. */
export const DOCUMENTDB_VERSION = '1.0-0';
export const POSTGRES_BIN = '/usr/lib/postgresql/18/bin';
export const FERRETDB_BIN = '/usr/local/bin/ferretdb';
/** Where an instance's own folder is bound inside the tree. */
export const INSTANCE_MOUNT = '/var/lib/documentdb';
/** Inside the tree: the data folder that new instances start from. */
export const TEMPLATE = '/opt/documentdb-template';

const FERRETDB_PACKAGE = `github.com/FerretDB/FerretDB/v2/cmd/ferretdb@v${FERRETDB_VERSION}`;
/** From this version on, Go fetches the newer Go that FerretDB asks for by itself. */
const GO_MINOR_MIN = 21;
const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt';
/** Lines that debootstrap prints for a minimal sid tree; only the progress bar depends on it. */
const DEBOOTSTRAP_LINES = 420;

/**
 * @typedef {object} DocumentDbBuild
 * @property {string} folder the build in the cache
 * @property {string} tree the root of the sid tree
 * @property {string} extension version of the extension
 * @property {number} buildMs how long the build took
 */

/** The folder of the finished build. Its name says what is in it, so a new version is a new build. */
export function buildFolder(env = process.env) {
  return join(cacheFolder(env), `ferretdb-${FERRETDB_VERSION}-documentdb-${DOCUMENTDB_VERSION}`);
}

/**
 * The finished build, if there is one.
 * @returns {DocumentDbBuild | undefined}
 */
export function findBuild(env = process.env) {
  const folder = buildFolder(env);
  try {
    const { extension, buildMs } = JSON.parse(readFileSync(join(folder, 'build.json'), 'utf8'));
    return { folder, tree: join(folder, 'sid'), extension, buildMs };
  } catch {
    return undefined;
  }
}

/** Why this machine cannot have it, or undefined. */
export function whyNotBuildable(env = process.env) {
  if (process.platform !== 'linux') return 'FerretDB with DocumentDB is built on Linux only';
  if (process.getuid?.() !== 0) return 'FerretDB with DocumentDB needs root (a chroot and a mount namespace)';
  if (!findOnPath('unshare', env)) return 'FerretDB with DocumentDB needs `unshare` (package util-linux)';
  if (!findOnPath('debootstrap', env) && !canInstall(env)) return 'FerretDB with DocumentDB needs `debootstrap`';
  return undefined;
}

/**
 * The build from the cache, made first where it is missing.
 * @param {Step} step
 * @returns {Promise<DocumentDbBuild>}
 */
export async function ensureBuild(step) {
  const ready = findBuild();
  if (ready) return ready;
  const onWait = (/** @type {number} */ pid) => step.note(`process ${pid} is building it already: waiting`);
  return withLock(`${buildFolder()}.lock`, async () => findBuild() ?? build(step), onWait);
}

/**
 * @param {Step} step
 * @returns {Promise<DocumentDbBuild>}
 */
async function build(step) {
  const startedMs = Date.now();
  const folder = buildFolder();
  const temporary = `${folder}.building`;
  step.note(`builds FerretDB ${FERRETDB_VERSION} with DocumentDB once, a few minutes and 1.2 GB in ${dirname(folder)}`);
  // Only the holder of the lock comes here: an older one is of a build that was killed.
  rmSync(temporary, { recursive: true, force: true });
  mkdirSync(join(temporary, 'sid'), { recursive: true });
  const log = `${folder}.log`;
  writeFileSync(log, '');
  try {
    const bar = sharedBar(step);
    await installDebootstrap(step);
    const go = await usableGo();
    const outside = go ? compileFerretDb(go, temporary, log, bar) : undefined;
    // A failure of the quicker half must not stay unhandled while the slower one is still at work.
    outside?.catch(() => undefined);
    const extension = await makeTree(temporary, log, bar);
    if (outside) await outside;
    else await compileInside(temporary, log, bar);
    renameSync(join(temporary, 'bin', 'ferretdb'), join(temporary, 'sid', FERRETDB_BIN));
    await makeTemplate(join(temporary, 'sid'), log, bar);
    const buildMs = Date.now() - startedMs;
    const summary = { ferretdb: FERRETDB_VERSION, extension, buildMs, builtAt: new Date().toISOString() };
    writeFileSync(join(temporary, 'build.json'), `${JSON.stringify(summary, undefined, 2)}\n`);
    rmSync(folder, { recursive: true, force: true });
    renameSync(temporary, folder);
    rmSync(log, { force: true });
    step.note(`built in ${spokenDuration(buildMs)}`);
    return { folder, tree: join(folder, 'sid'), extension, buildMs };
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    throw error;
  }
}

/**
 * Two halves run side by side: the bar shows the sum of their weighted parts and the latest stage.
 * @param {Step} step
 */
function sharedBar(step) {
  /** @type {Record<string, number>} */
  const weights = { tree: 0.4, packages: 0.35, go: 0.2, template: 0.05 };
  /** @type {Record<string, number>} */
  const parts = {};
  /** @type {Record<string, string>} */
  const stages = {};
  return (/** @type {string} */ part, /** @type {number} */ fraction, /** @type {string} */ stage) => {
    parts[part] = Math.max(parts[part] ?? 0, Math.min(1, fraction));
    stages[part === 'go' ? 'go' : 'tree'] = stage;
    const sum = Object.entries(parts).reduce((total, [name, done]) => total + done * (weights[name] ?? 0), 0);
    step.update(sum, [stages.tree, stages.go].filter(Boolean).join(' | '));
  };
}

/** @typedef {ReturnType<typeof sharedBar>} Bar */

/** @param {Step} step */
async function installDebootstrap(step) {
  const missing = [];
  if (!findOnPath('debootstrap')) missing.push('debootstrap');
  if (!existsSync('/usr/share/keyrings/debian-archive-keyring.gpg')) missing.push('debian-archive-keyring');
  if (missing.length > 0) await installPackages(missing, step);
}

/** The machine's Go when it is new enough. */
async function usableGo() {
  const go = findOnPath('go');
  if (!go) return undefined;
  const { output } = await run(go, ['version']);
  const minor = Number(/go1\.(\d+)/.exec(output)?.[1] ?? 0);
  return minor >= GO_MINOR_MIN ? go : undefined;
}

/**
 * @param {string} go
 * @param {string} temporary
 * @param {string} log
 * @param {Bar} bar
 */
async function compileFerretDb(go, temporary, log, bar) {
  const bin = join(temporary, 'bin');
  let lines = 0;
  bar('go', 0, 'compiling FerretDB');
  const { code, output } = await run(go, ['install', '-v', FERRETDB_PACKAGE], {
    env: { ...process.env, GOBIN: bin, CGO_ENABLED: '0' },
    log,
    onLine: () => bar('go', ++lines / 450, 'compiling FerretDB'),
  });
  if (code !== 0) throw stepFailed('FerretDB did not compile', output, log, 'Is the Go module proxy reachable?');
  bar('go', 1, 'FerretDB compiled');
}

/**
 * The sid tree with PostgreSQL and the extension; gives the extension's version.
 * @param {string} temporary
 * @param {string} log
 * @param {Bar} bar
 */
async function makeTree(temporary, log, bar) {
  const tree = join(temporary, 'sid');
  let lines = 0;
  const mirror = process.env.MILLRACE_DEBIAN_MIRROR;
  const args = ['--variant=minbase', '--include=ca-certificates', 'sid', tree, ...(mirror ? [mirror] : [])];
  const made = await run('unshare', ['--mount', '--propagation', 'private', 'debootstrap', ...args], {
    log,
    onLine: () => bar('tree', ++lines / DEBOOTSTRAP_LINES, 'debootstrap sid'),
  });
  if (made.code !== 0) {
    const todo = 'Is the Debian mirror reachable? Another one: MILLRACE_DEBIAN_MIRROR=URL.';
    throw stepFailed('debootstrap failed', made.output, log, todo);
  }
  bar('tree', 1, 'sid tree');
  // Packages in the tree must not start servers of their own.
  writeFileSync(join(tree, 'usr/sbin/policy-rc.d'), '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  const install =
    'export DEBIAN_FRONTEND=noninteractive; exec apt-get install -y -q --no-install-recommends -o APT::Status-Fd=3 postgresql-18-documentdb';
  const installed = await runInTree(tree, install, {
    log,
    statusFd: true,
    onLine: (line) =>
      showStatus(line, { ...silentStep(), update: (fraction) => bar('packages', fraction, 'PostgreSQL 18') }),
  });
  if (installed.code !== 0) throw stepFailed('PostgreSQL did not install', installed.output, log, 'Try again later.');
  bar('packages', 1, 'PostgreSQL 18');
  return checkExtension(tree);
}

/** @param {string} tree */
async function checkExtension(tree) {
  const { output } = await runInTree(tree, "dpkg-query -W -f '${Version}' postgresql-18-documentdb");
  return requireKnownExtension(output.trim());
}

/**
 * Refuses an extension that has moved on: FerretDB speaks to its functions, which change between versions.
 * @param {string} version as Debian names it, with its own revision at the end
 */
export function requireKnownExtension(version) {
  if (version.startsWith(`${DOCUMENTDB_VERSION}-`) || version === DOCUMENTDB_VERSION) return version;
  throw new SetupError(
    `Debian sid now has DocumentDB ${version}; FerretDB ${FERRETDB_VERSION} was tried with ${DOCUMENTDB_VERSION} only.`,
    'Use a MongoDB of your own (MONGODB_URL, or mongod on PATH), and tell us, so that both versions move together.',
  );
}

/**
 * No Go on the machine, or one too old: sid's own compiles FerretDB and is taken out again.
 * @param {string} temporary
 * @param {string} log
 * @param {Bar} bar
 */
async function compileInside(temporary, log, bar) {
  const tree = join(temporary, 'sid');
  bar('go', 0.05, "installing sid's Go");
  // The machine may trust an authority of its own (a company's proxy).
  if (existsSync(CERTIFICATES)) copyFileSync(CERTIFICATES, join(tree, CERTIFICATES));
  const script = [
    `export DEBIAN_FRONTEND=noninteractive HOME=/root SSL_CERT_FILE=${CERTIFICATES}`,
    'apt-get install -y -q --no-install-recommends golang-go',
    `GOPATH=/tmp/go GOCACHE=/tmp/go-cache GOBIN=/out CGO_ENABLED=0 go install -v ${FERRETDB_PACKAGE}`,
    'chmod -R u+w /tmp/go && rm -rf /tmp/go /tmp/go-cache',
    'apt-get purge -y -q golang-go && apt-get autoremove -y -q --purge && apt-get clean',
  ].join('\n');
  let lines = 0;
  const { code, output } = await runInTree(tree, `set -e\n${script}`, {
    log,
    onLine: () => bar('go', 0.05 + ++lines / 900, 'compiling FerretDB'),
  });
  if (code !== 0) throw stepFailed('FerretDB did not compile', output, log, 'Is the Go module proxy reachable?');
  renameSync(join(tree, 'out'), join(temporary, 'bin'));
  bar('go', 1, 'FerretDB compiled');
}

/**
 * A data folder with the extension created in it, copied for each new instance: creating it takes seconds, a copy does not.
 * @param {string} tree
 * @param {string} log
 * @param {Bar} bar
 */
async function makeTemplate(tree, log, bar) {
  bar('template', 0.1, 'first database');
  const script = `set -e
    install -d -o postgres -g postgres -m 700 ${TEMPLATE}
    as() { setpriv --reuid postgres --regid postgres --clear-groups "$@"; }
    cd /tmp
    as ${POSTGRES_BIN}/initdb -D ${TEMPLATE} -A trust -U postgres --locale=C.UTF-8 -E UTF8
    cat >> ${TEMPLATE}/postgresql.conf <<'END'
listen_addresses = ''
shared_preload_libraries = 'pg_cron,pg_documentdb_core,pg_documentdb'
cron.database_name = 'postgres'
cron.host = '${INSTANCE_MOUNT}/run'
documentdb.enableUserCrud = true
END
    as ${POSTGRES_BIN}/pg_ctl -D ${TEMPLATE} -w -o "-c unix_socket_directories=/tmp" -l /tmp/template.log start
    as psql -h /tmp -U postgres -c 'CREATE EXTENSION documentdb CASCADE'
    as ${POSTGRES_BIN}/pg_ctl -D ${TEMPLATE} -w -m fast stop
    mkdir -p ${INSTANCE_MOUNT} && rm -rf /var/cache/apt/archives/*.deb`;
  const { code, output } = await runInTree(tree, script, { log });
  if (code !== 0) throw stepFailed('The first database could not be made', output, log, 'Try again.');
  bar('template', 1, 'first database');
}

/**
 * Runs a shell script inside the tree; /proc and /dev are mounted for it alone.
 * @param {string} tree
 * @param {string} script
 * @param {Parameters<typeof run>[2]} [options]
 */
function runInTree(tree, script, options) {
  const outer = 'mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" && exec chroot "$1" /bin/sh -c "$2"';
  return run('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', outer, 'sh', tree, script], options);
}

/**
 * @param {string} what
 * @param {string} output
 * @param {string} log
 * @param {string} todo
 */
function stepFailed(what, output, log, todo) {
  return new SetupError(`${what}:\n    ${lastLines(output)}`, `${todo} The whole log is ${log}.`);
}
