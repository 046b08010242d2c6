/** Owns the dashboard's process: configuration, store, Redis, the server, and an orderly end. */
import { Redis } from 'ioredis';
import { redisTls } from '../shared/contract-kit/tls.ts';
import pino from 'pino';
import { readConfig } from '../shared/config.ts';
import { attend, listen, runMain, serviceChecks } from '../shared/http/serve.ts';
import { TrailDesk } from '../shared/governance/trail-desk.ts';
import { keepTrailHeads } from '../shared/governance/trail-heads.ts';
import { logEvents } from '../shared/telemetry/log-events.ts';
import { openProcessTelemetry } from '../shared/telemetry/open-telemetry.ts';
import { openStore, storeAt } from '../shared/store/mongo/open.ts';
import { buildDashboard } from './build.ts';
import { openQueues } from './overview/queues.ts';

await runMain(async () => {
  const config = readConfig();
  const log = pino({ level: config.log, base: { process: 'dashboard' } }, pino.destination(2));
  const observed = await openProcessTelemetry({ name: 'dashboard', environment: process.env });
  const { telemetry } = observed;
  telemetry.subscribe(logEvents(log));
  const store = await openStore({ ...storeAt(config), telemetry });
  const redis = new Redis(config.redisUrl, { ...redisTls(config.redisUrl, config.redisTls), maxRetriesPerRequest: 1 });
  redis.on('error', (error: Error) => log.warn({ reason: error.message }, 'Redis does not answer'));
  const queues = openQueues(redis, config.prefix);
  keepTrailHeads(store.trail, redis, config.prefix);
  const desk = new TrailDesk(store.trail);
  const app = await buildDashboard({ store, redis, queues, config, log, telemetry, desk });
  app.addHook('onClose', async () => {
    await desk[Symbol.asyncDispose]();
    await Promise.all(queues.map((queue) => queue.close()));
    redis.disconnect();
    await store[Symbol.asyncDispose]();
    await observed[Symbol.asyncDispose]();
  });
  const health = await attend(app, config, serviceChecks(config, redis, store), observed.metrics);
  if ((await store.accounts.count()) === 0)
    log.warn('nobody can log in yet: make an account with `millrace password reset`');
  const address = await listen(app, {
    name: 'dashboard',
    host: config.host,
    port: config.dashboardPort,
    portVariable: 'MILLRACE_DASHBOARD_PORT',
  });
  console.log(JSON.stringify({ ready: 'dashboard', address, health: health.address }));
});
