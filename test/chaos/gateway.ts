/** Owns the gateway's process in a chaos run: the real routes and journal, on the disturbed servers. Its argument is JSON; the harness hears of its address over IPC. */
import { buildGateway } from '../../jobs/gateway/build.ts';
import { openStore } from '../../shared/store/mongo/open.ts';
import { TEST_KEYS } from '../services.ts';
import { tell } from './points.ts';
import type { ChaosWorkerOptions } from './worker-options.ts';

async function main({ redisUrl, mongodbUrl: url, prefix, database }: ChaosWorkerOptions): Promise<void> {
  const { masterKey, tenantKey, sealKeys } = TEST_KEYS;
  const store = await openStore({ url, database, masterKey, tenantKey });
  const app = await buildGateway({ store, config: { redisUrl, prefix, sealKeys, webhookPrivate: false } });
  process.once('disconnect', () => process.exit(0)); // the harness is gone
  await tell({ type: 'ready', address: await app.listen({ host: '127.0.0.1', port: 0 }) });
}

await main(JSON.parse(process.argv[2] ?? '') as ChaosWorkerOptions);
