// @ts-check
/**
 * Owns `node docker/local/services.mjs [--throw-away]`: Redis and MongoDB alone, on the configured ports, until
 * Ctrl-C; for developing against them. Prints the environment that finds them. --throw-away: no fsync.
 */
import { mkdirSync } from 'node:fs';
import { onStopSignals } from './interruption.mjs';
import { stateFolder } from './paths.mjs';
import { requirePort } from './ports.mjs';
import { openStep } from './progress.mjs';
import { reportFailure } from './setup-error.mjs';
import { ensureKeys, recoverState, removeServices, writeServices } from './state.mjs';
import { openStores } from './stores.mjs';

async function main() {
  const state = stateFolder();
  mkdirSync(state, { recursive: true, mode: 0o700 });
  await recoverState(state);
  ensureKeys(state);
  const asked = new Promise((resolve) => onStopSignals(resolve));
  const stores = await openStores({
    folder: state,
    durable: !process.argv.includes('--throw-away'),
    portOf: (service) => requirePort(service),
    steps: { redis: openStep('Redis'), mongodb: openStep('MongoDB') },
  });
  await writeServices(state, stores);
  process.stdout.write(`export REDIS_URL=${stores.redis.url} MONGODB_URL=${stores.mongodb.url}\n`);
  // A listener for signals alone does not keep a process alive.
  const awake = setInterval(() => undefined, 60_000);
  const lost = await Promise.race([asked.then(() => undefined), stores.lost]);
  clearInterval(awake);
  await stores.stop();
  removeServices(state);
  if (lost) process.stderr.write(`\n  ${lost} ended unexpectedly.\n`);
  return lost ? 1 : 0;
}

process.exitCode = await main().catch(reportFailure);
