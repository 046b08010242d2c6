// @ts-check
/**
 * Owns `npm start`: sets up what is missing, starts Redis and MongoDB on the state folder, hands over to
 * `millrace up` on Node 24 with the arguments given, stays up, and stops on Ctrl-C what it started.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { onStopSignals, signalExitCode } from './interruption.mjs';
import { ensureKernels } from './kernels.mjs';
import { nativeVersion } from './native-location.mjs';
import { ensurePackages } from './packages.mjs';
import { bundledNode, projectRoot, stateFolder } from './paths.mjs';
import { requirePort } from './ports.mjs';
import { send } from './processes.mjs';
import { openStep } from './progress.mjs';
import { reportFailure } from './setup-error.mjs';
import { ensureKeys, recoverState, removeServices, writeServices } from './state.mjs';
import { openStores } from './stores.mjs';

const COMMAND = join(projectRoot, 'jobs', 'cli', 'bin.mjs');
const output = process.stdout;

/** Everything that needs no server: packages, kernels, the state folder with its keys, free ports. */
async function prepare() {
  const packages = openStep('packages', output);
  const version = await ensurePackages(packages);
  await ensureKernels(packages);
  packages.done(`ready        (Node ${version} from the lockfile)`);
  const state = stateFolder();
  mkdirSync(state, { recursive: true, mode: 0o700 });
  const stopped = await recoverState(state);
  if (stopped.length > 0) openStep('recovery', output).done(`stopped what a killed run left: ${stopped.join(', ')}`);
  const made = ensureKeys(state);
  if (made.length > 0) openStep('keys', output).done(`made         ${made.join(', ')} in ${join(state, 'keys')}`);
  // Asked for before anything starts: a port that is taken must not cost a start and a stop.
  const ports = { dashboard: await requirePort('dashboard'), gateway: await requirePort('gateway') };
  return { state, ports };
}

/**
 * Runs `millrace up` in a process group of its own, so that Ctrl-C reaches it once, through us, and before
 * the stores go. A second Ctrl-C ends it at once.
 * @param {NodeJS.ProcessEnv} env
 * @param {import('./stores.mjs').Stores} stores
 * @returns {Promise<number>}
 */
async function runUp(env, stores) {
  const child = spawn(bundledNode, [COMMAND, 'up', ...process.argv.slice(2)], {
    stdio: 'inherit',
    detached: true,
    env: { ...process.env, ...env },
  });
  let asked = false;
  const pass = (/** @type {NodeJS.Signals} */ signal) => {
    if (child.pid === undefined) return;
    if (asked) send(-child.pid, 'SIGKILL');
    else send(child.pid, signal);
    asked = true;
  };
  const release = onStopSignals(pass);
  const ended = once(child, 'exit');
  void stopWhenLost(stores.lost, () => pass('SIGTERM'));
  const [code, signal] = await ended;
  release();
  // What a killed or crashed `up` left of its own children is in its group, and ours to end.
  if (child.pid !== undefined) send(-child.pid, 'SIGTERM');
  if (asked && signal !== 'SIGKILL') return code ?? 0;
  return code ?? signalExitCode(signal);
}

/**
 * @param {Promise<string>} lost
 * @param {() => void} stop
 */
async function stopWhenLost(lost, stop) {
  process.stderr.write(`\n  ${await lost} ended unexpectedly: stopping.\n`);
  stop();
}

async function main() {
  const { state, ports } = await prepare();
  /** @type {NodeJS.Signals | undefined} */
  let interrupted;
  // From here on an interruption must reach the clean-up below instead of ending us at once.
  const release = onStopSignals((signal) => {
    interrupted = signal;
  });
  const stores = await openStores({
    folder: state,
    durable: true,
    portOf: (service) => requirePort(service),
    steps: { redis: openStep('Redis', output), mongodb: openStep('MongoDB', output) },
  });
  try {
    await writeServices(state, stores);
    const native = nativeVersion();
    const slower = 'WASM         `npm run setup:native` makes the two-tower model train faster';
    openStep('TensorFlow', output).done(native ? `${native.padEnd(13)}native` : slower);
    if (interrupted) return signalExitCode(interrupted);
    const env = {
      REDIS_URL: stores.redis.url,
      MONGODB_URL: stores.mongodb.url,
      MILLRACE_STATE: state,
      MILLRACE_DASHBOARD_PORT: String(ports.dashboard),
      MILLRACE_GATEWAY_PORT: String(ports.gateway),
    };
    return await runUp(env, stores);
  } finally {
    await stores.stop();
    removeServices(state);
    release();
  }
}

process.exitCode = await main().catch(reportFailure);
