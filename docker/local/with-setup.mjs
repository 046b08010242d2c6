// @ts-check
/**
 * Owns `node docker/local/with-setup.mjs [--no-services] [--browser] SCRIPT ARGUMENTS...`: makes everything
 * ready that SCRIPT needs, runs it on Node 24, and gives its exit code. --browser also offers Chromium.
 *
 * Redis and MongoDB are private to the run: free ports, throw-away data, stopped and removed at the end
 * whatever happens. REDIS_URL and MONGODB_URL, when set, are used instead.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { onStopSignals, signalExitCode } from './interruption.mjs';
import { offerChromium } from './chromium.mjs';
import { ensureKernels } from './kernels.mjs';
import { ensurePackages } from './packages.mjs';
import { bundledNode, stateFolder } from './paths.mjs';
import { freePort } from './ports.mjs';
import { isAlive, send } from './processes.mjs';
import { openStep } from './progress.mjs';
import { reportFailure, SetupError } from './setup-error.mjs';
import { newKey, readServices, recoverState, removeServices, writeServices } from './state.mjs';
import { openStores } from './stores.mjs';

const TEST_FOLDER = /^test-\d+$/;

/**
 * Folders of runs that were killed: what still lives of them is stopped, then they go.
 * @param {string} state
 */
async function sweepKilledRuns(state) {
  for (const name of readdirSync(state).filter((entry) => TEST_FOLDER.test(entry))) {
    const folder = join(state, name);
    const owner = readServices(folder)?.owner;
    if (owner && (await isAlive(owner))) continue;
    if (!owner && processExists(Number(name.slice('test-'.length)))) continue; // It is only just starting.
    await recoverState(folder);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @param {number} pid */
function processExists(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM';
  }
}

/** @param {Promise<string>} lost */
async function announceLoss(lost) {
  process.stderr.write(`\n  ${await lost} ended unexpectedly.\n`);
}

/** Private stores and keys of this run, as environment. */
async function openServices() {
  const state = stateFolder();
  mkdirSync(state, { recursive: true, mode: 0o700 });
  await sweepKilledRuns(state);
  const folder = join(state, `test-${process.pid}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const remove = () => {
    removeServices(folder);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const steps = { redis: openStep('Redis'), mongodb: openStep('MongoDB') };
    const stores = await openStores({ folder, durable: false, portOf: freePort, steps });
    await writeServices(folder, stores);
    const close = async () => {
      await stores.stop();
      remove();
    };
    return { stores, close, env: environmentOf(stores) };
  } catch (error) {
    remove();
    throw error;
  }
}

/**
 * @param {import('./stores.mjs').Stores} stores
 * @returns {NodeJS.ProcessEnv} keys made for this run, unless some are given
 */
function environmentOf(stores) {
  return {
    REDIS_URL: stores.redis.url,
    MONGODB_URL: stores.mongodb.url,
    MILLRACE_MASTER_KEY: process.env.MILLRACE_MASTER_KEY ?? newKey(),
    MILLRACE_TENANT_KEY: process.env.MILLRACE_TENANT_KEY ?? newKey(),
    MILLRACE_SEAL_KEY: process.env.MILLRACE_SEAL_KEY ?? newKey(),
  };
}

/**
 * Runs the script in a process group of its own, so that a signal reaches it once, through us.
 * @param {string} script
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<number>}
 */
async function runScript(script, args, env) {
  const child = spawn(bundledNode, [resolve(script), ...args], {
    stdio: 'inherit',
    detached: true,
    env: { ...process.env, ...env },
  });
  const release = onStopSignals((signal) => {
    if (child.pid !== undefined) send(-child.pid, signal);
  });
  const [code, signal] = await once(child, 'exit');
  release();
  return code ?? signalExitCode(signal);
}

/** @param {string[]} given */
async function main(given) {
  const scriptAt = given.findIndex((argument) => !argument.startsWith('--'));
  const script = given[scriptAt];
  const options = given.slice(0, Math.max(0, scriptAt));
  if (script === undefined || options.some((option) => option !== '--no-services' && option !== '--browser')) {
    const usage = 'Usage: with-setup.mjs [--no-services] [--browser] SCRIPT ARGUMENTS...';
    throw new SetupError('No script, or an unknown option before it.', usage);
  }
  const args = given.slice(scriptAt + 1);
  const packages = openStep('packages');
  const version = await ensurePackages(packages);
  await ensureKernels(packages);
  packages.done(`ready        (Node ${version})`);
  if (options.includes('--browser')) await offerChromium(openStep('Chromium'));
  return options.includes('--no-services') ? runScript(script, args, {}) : runWithServices(script, args);
}

/**
 * @param {string} script
 * @param {string[]} args
 */
async function runWithServices(script, args) {
  // From here on an interruption must reach the clean-up below instead of ending us at once.
  /** @type {NodeJS.Signals | undefined} */
  let interrupted;
  const release = onStopSignals((signal) => {
    interrupted = signal;
  });
  const services = await openServices();
  try {
    if (interrupted) return signalExitCode(interrupted);
    void announceLoss(services.stores.lost);
    return await runScript(script, args, services.env);
  } finally {
    await services.close();
    release();
  }
}

process.exitCode = await main(process.argv.slice(2)).catch(reportFailure);
