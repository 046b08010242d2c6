// @ts-check
/**
 * Owns the project's packages: `npm ci` when they are missing or older than the lockfile, and the Node 24
 * that the npm package `node` brings through its install script.
 */
import { existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { withLock } from './lock.mjs';
import { bundledNode, projectRoot } from './paths.mjs';
import { lastLines, run } from './processes.mjs';
import { SetupError } from './setup-error.mjs';

/** @typedef {import('./progress.mjs').Step} Step */

const NODE_MAJOR = 24;
const MACHINE_NODE_MAJOR_MIN = 20;

/**
 * What is wrong with the installed packages, or undefined. npm writes node_modules/.package-lock.json last,
 * so each package of the lockfile must stand in it with the same version.
 * @returns {string | undefined}
 */
export function whyStale(root = projectRoot) {
  const installedLock = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(installedLock)) return 'not installed yet';
  const wantedLock = join(root, 'package-lock.json');
  if (statSync(installedLock).mtimeMs >= statSync(wantedLock).mtimeMs) return undefined;
  const wanted = JSON.parse(readFileSync(wantedLock, 'utf8')).packages;
  const installed = JSON.parse(readFileSync(installedLock, 'utf8')).packages;
  for (const [path, entry] of Object.entries(wanted)) {
    // Optional packages of other platforms are in the lockfile and rightly absent here.
    if (path === '' || entry.optional || entry.link) continue;
    if (installed[path]?.version !== entry.version) return `${path} changed`;
  }
  return undefined;
}

/**
 * Installs what is missing and gives the version of the bundled Node.
 * @param {Step} step
 * @returns {Promise<string>}
 */
export async function ensurePackages(step) {
  const major = Number(process.versions.node.split('.')[0]);
  if (major < MACHINE_NODE_MAJOR_MIN) {
    throw new SetupError(`Node ${process.versions.node} is too old.`, 'Install Node 20 or later, then try again.');
  }
  if (whyStale() === undefined && existsSync(bundledNode)) return ensureNode(step);
  return withLock(join(projectRoot, '.millrace', 'packages.lock'), async () => {
    const reason = whyStale();
    if (reason) await install(step, reason);
    return ensureNode(step);
  });
}

/**
 * @param {Step} step
 * @param {string} reason
 */
async function install(step, reason) {
  const lock = JSON.parse(readFileSync(join(projectRoot, 'package-lock.json'), 'utf8'));
  const total = Object.keys(lock.packages).length;
  step.update(0, `npm ci (${reason})`);
  let seen = 0;
  // npm says one line for each thing it fetches or runs at this level; the bar only counts them.
  const { code, output } = await run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=http'], {
    cwd: projectRoot,
    env: { ...process.env, npm_config_yes: 'true' },
    onLine: () => step.update(Math.min(0.97, ++seen / total), 'npm ci'),
  });
  if (code === 0) return;
  const told = output
    .split('\n')
    .filter((line) => !/^npm (http|warn)/i.test(line))
    .join('\n');
  throw new SetupError(
    `npm ci failed:\n    ${lastLines(told)}`,
    'Often the network or the registry: run `npm ci` to see all.',
  );
}

/**
 * The bundled Node must run and be the right one. Where npm did not run its install script (as newer npm does
 * unless told otherwise), `npm rebuild` does; where that is refused, the message says so.
 * @param {Step} step
 */
async function ensureNode(step) {
  const version = await nodeVersion();
  if (version) return version;
  step.update(0.98, 'Node 24: running the install script of the package `node`');
  rmSync(join(projectRoot, 'node_modules', 'node', 'bin', 'node'), { force: true });
  await run('npm', ['rebuild', 'node', '--ignore-scripts=false'], { cwd: projectRoot });
  const mended = (await nodeVersion()) ?? (await nodeByHand());
  if (mended) return mended;
  throw new SetupError(
    `Node ${NODE_MAJOR} is missing: the install script of the npm package \`node\` did not run.`,
    'Run: npm rebuild node --foreground-scripts   (npm must be allowed to run scripts: npm config get ignore-scripts)',
  );
}

/** The package's own install step, started directly: it works where npm is configured to run no scripts at all. */
async function nodeByHand() {
  const folder = join(projectRoot, 'node_modules', 'node');
  const script = join(folder, 'installArchSpecificPackage.js');
  if (!existsSync(script)) return undefined;
  const env = {
    ...process.env,
    npm_package_version: JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).version,
  };
  await run(process.execPath, [script], { cwd: folder, env });
  return nodeVersion();
}

/** @returns {Promise<string | undefined>} */
async function nodeVersion() {
  if (!existsSync(bundledNode)) return undefined;
  const { code, output } = await run(bundledNode, ['--version']);
  const version = output.trim().replace(/^v/, '');
  return code === 0 && Number(version.split('.')[0]) >= NODE_MAJOR ? version : undefined;
}
