/** Owns the gateway's process: configuration, store, the server, and an orderly end. */
import { Redis } from 'ioredis';
import { redisTls } from '../../shared/contract-kit/tls.ts';
import pino from 'pino';
import { readConfig } from '../../shared/config.ts';
import { sealKeyIds } from '../../shared/contract-kit/seal.ts';
import { attend, listen, runMain, serviceChecks } from '../../shared/http/serve.ts';
import { TrailDesk } from '../../shared/governance/trail-desk.ts';
import { keepTrailHeads } from '../../shared/governance/trail-heads.ts';
import { logEvents } from '../../shared/telemetry/log-events.ts';
import { openProcessTelemetry } from '../../shared/telemetry/open-telemetry.ts';
import { openStore, storeAt } from '../../shared/store/mongo/open.ts';
import { buildGateway } from './build.ts';

await runMain(async () => {
  const config = readConfig();
  const log = pino({ level: config.log, base: { process: 'gateway' } }, pino.destination(2));
  const observed = await openProcessTelemetry({ name: 'gateway', environment: process.env });
  const { telemetry } = observed;
  telemetry.subscribe(logEvents(log));
  const store = await openStore({ ...storeAt(config), telemetry });
  await store.keyring.admitSeals(sealKeyIds(config.sealKeys));
  const desk = new TrailDesk(store.trail);
  const app = await buildGateway({ store, config, log, telemetry, desk });
  // The clients of tenants connect when they are needed: this one only asks whether Redis answers.
  const redis = new Redis(config.redisUrl, {
    ...redisTls(config.redisUrl, config.redisTls),
    maxRetriesPerRequest: null,
  });
  redis.on('error', (error: Error) => log.debug({ reason: error.message }, 'Redis does not answer'));
  keepTrailHeads(store.trail, redis, config.prefix);
  app.addHook('onClose', async () => {
    await desk[Symbol.asyncDispose]();
    redis.disconnect();
    await store[Symbol.asyncDispose]();
    await observed[Symbol.asyncDispose]();
  });
  const health = await attend(app, config, serviceChecks(config, redis, store), observed.metrics);
  const address = await listen(app, {
    name: 'gateway',
    host: config.host,
    port: config.gatewayPort,
    portVariable: 'MILLRACE_GATEWAY_PORT',
  });
  console.log(JSON.stringify({ ready: 'gateway', address, docs: `${address}/docs`, health: health.address }));
});
