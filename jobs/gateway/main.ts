/** Owns the gateway's process: configuration, store, the server, and an orderly end. */
import pino from 'pino';
import { readConfig } from '../../shared/config.ts';
import { closeOnSignal, listen, runMain } from '../../shared/http/serve.ts';
import { openStore } from '../../shared/store/mongo/open.ts';
import { buildGateway } from './build.ts';

await runMain(async () => {
  const config = readConfig();
  const { mongodbUrl: url, database, masterKey, tenantKey } = config;
  const log = pino({ level: config.log, base: { process: 'gateway' } }, pino.destination(2));
  const store = await openStore({ url, database, masterKey, tenantKey });
  const app = await buildGateway({ store, config, log });
  app.addHook('onClose', () => store[Symbol.asyncDispose]());
  closeOnSignal(app);
  const address = await listen(app, {
    name: 'gateway',
    host: config.host,
    port: config.gatewayPort,
    portVariable: 'MILLRACE_GATEWAY_PORT',
  });
  console.log(JSON.stringify({ ready: 'gateway', address, docs: `${address}/docs` }));
});
