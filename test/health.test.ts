/** Owns the proof that a worker process tells the truth about itself and ends when it is told to: real processes, servers that stop and hang. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { QueueEvents } from 'bullmq';
import { Redis } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import { freePort } from '../docker/local/ports.mjs';
import { openStep } from '../docker/local/progress.mjs';
import { redisProgram, startRedis } from '../docker/local/redis.mjs';
import { connect } from '../jobs/client/index.ts';
import { PROJECT_DIR } from '../shared/config.ts';
import type { HealthReport } from '../shared/telemetry/health.ts';
import { ChaosProxy } from './chaos/proxy.ts';
import { TEST_KEYS, type TestServices, testServices } from './services.ts';

interface WorkerProcess {
  readonly child: ChildProcess;
  readonly health: string;
  /** Resolves with the first line of its log that matches. */
  readonly said: (pattern: RegExp) => Promise<void>;
}

async function startWorker(services: TestServices, more: Readonly<Record<string, string>>): Promise<WorkerProcess> {
  const child = spawn(process.execPath, ['workers/main.ts'], {
    cwd: PROJECT_DIR,
    env: {
      PATH: process.env.PATH,
      REDIS_URL: services.config.redisUrl,
      MONGODB_URL: services.config.mongodbUrl,
      MILLRACE_DATABASE: services.database,
      MILLRACE_PREFIX: services.prefix,
      MILLRACE_MASTER_KEY: TEST_KEYS.masterKey.toString('hex'),
      MILLRACE_TENANT_KEY: TEST_KEYS.tenantKey.toString('hex'),
      MILLRACE_SEAL_KEY: TEST_KEYS.sealKeys,
      MILLRACE_KINDS: 'ingestion',
      MILLRACE_SCHEDULES: 'off',
      MILLRACE_THREADS: '1',
      ...more,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  });
  const log = createInterface({ input: child.stderr });
  const said = (pattern: RegExp) =>
    new Promise<void>((resolve) => log.on('line', (line) => pattern.test(line) && resolve()));
  const lines = createInterface({ input: child.stdout });
  const [line] = (await once(lines, 'line')) as [string];
  const { health } = JSON.parse(line) as { health: string };
  return { child, health, said };
}

async function ask(health: string, path: string): Promise<{ status: number; report: HealthReport }> {
  const answer = await fetch(health + path);
  return { status: answer.status, report: (await answer.json()) as HealthReport };
}

const until = (health: string, path: string, status: number) =>
  expect.poll(async () => (await ask(health, path)).status, { timeout: 60_000, interval: 50 }).toBe(status);

test('a worker whose Redis has stopped is not alive after the declared window, and is again when Redis is back', async () => {
  const WINDOW_MS = 1_000;
  await using services = await testServices();
  await using folder = await mkdtempDisposable(join(tmpdir(), 'millrace-health-'));
  const program = await redisProgram(openStep('Redis'));
  const port = await freePort();
  const start = () => startRedis({ program, port, folder: folder.path, durable: false });
  let redis = await start();
  const stop = async () => {
    for (const service of redis.services) await service.stop();
  };
  onTestFinished(stop);
  const { health, child } = await startWorker(services, {
    REDIS_URL: redis.url,
    MILLRACE_HEALTH_WINDOW_MS: String(WINDOW_MS),
    MILLRACE_LOG: 'silent',
  });
  for (const path of ['/livez', '/readyz', '/startupz']) expect((await ask(health, path)).status).toBe(200);
  const { report } = await ask(health, '/livez');
  expect(report.checks.map(({ name }) => name)).toEqual(['redis', 'store', 'fetch ingestion']);

  await stop();
  const stoppedAt = performance.now();
  await until(health, '/livez', 503);
  const dead = await ask(health, '/livez');
  expect(dead.report.checks).toMatchObject([
    { name: 'redis', ok: false, windowMs: WINDOW_MS },
    { name: 'store', ok: true },
    { name: 'fetch ingestion', windowMs: WINDOW_MS + 30_000 },
  ]);
  // The last answer is no older than the outage: what is beyond it is what the report lags behind.
  expect(dead.report.checks[0]?.ageMs).toBeLessThanOrEqual(performance.now() - stoppedAt + WINDOW_MS);
  expect((await ask(health, '/readyz')).status).toBe(503);
  expect((await ask(health, '/startupz')).status).toBe(200);

  redis = await start();
  await until(health, '/livez', 200);
  expect((await ask(health, '/readyz')).status).toBe(200);
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([0, null]);
}, 120_000);

/** A worker at work on a job that cannot hear that it was aborted: its store has gone deaf in the middle of it. */
async function hangingWorker(services: TestServices, stopMs: number): Promise<WorkerProcess> {
  const target = new URL(services.config.mongodbUrl);
  const proxy = await ChaosProxy.open({ host: target.hostname, port: Number(target.port) });
  onTestFinished(() => proxy[Symbol.asyncDispose]());
  target.port = String(proxy.port);
  const { redisUrl, prefix, sealKeys } = services.config;
  const connection = new Redis(redisUrl, { maxRetriesPerRequest: null });
  onTestFinished(() => connection.disconnect());
  const events = new QueueEvents('ingestion', { connection, prefix, lastEventId: '0' });
  onTestFinished(() => events.close());
  await events.waitUntilReady();
  const begun = new Promise<void>((resolve) => events.once('active', () => resolve()));
  const worker = await startWorker(services, { MONGODB_URL: target.href, MILLRACE_STOP_MS: String(stopMs) });
  proxy.halfOpen();
  await using client = connect({ redis: redisUrl, prefix, seal: sealKeys });
  await client.ingestion.enqueue({ source: 'films', items: [{ id: 'a', title: 'A' }] });
  await begun;
  return worker;
}

test('a worker with a job that ignores its abort ends with 0 within the limit', async () => {
  await using services = await testServices();
  const { child, said } = await hangingWorker(services, 1_500);
  const late = said(/a job did not end when it was asked to|ends with work undone/);
  const asked = performance.now();
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([0, null]);
  await late;
  // The limit, and what a busy machine takes to notice; the driver alone would have waited for minutes.
  expect(performance.now() - asked).toBeLessThan(1_500 + 20_000);
}, 60_000);

test('the same signal again ends a worker at once, and another one does not', async () => {
  await using services = await testServices();
  const { child, said, health } = await hangingWorker(services, 3_600_000);
  const stopping = said(/worker stopping/);
  child.kill('SIGINT');
  await stopping;
  expect((await ask(health, '/readyz')).report.state).toBe('stopping');
  child.kill('SIGTERM');
  expect((await ask(health, '/livez')).status).toBe(200);
  child.kill('SIGINT');
  expect(await once(child, 'exit')).toEqual([130, null]);
}, 60_000);

test('spans and figures of a worker leave it only when OpenTelemetry’s variables say where to, the last ones when it stops', async () => {
  await using services = await testServices();
  const received: { path: string; body: string }[] = [];
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    received.push({ path: request.url ?? '', body: await text(request) });
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  };
  const collector = createServer((request, response) => void take(request, response));
  collector.listen(0, '127.0.0.1');
  await once(collector, 'listening');
  onTestFinished(() => void collector.close());
  const address = collector.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const { child, health } = await startWorker(services, {
    MILLRACE_LOG: 'silent',
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
    OTEL_SERVICE_NAME: 'our-workers',
    MILLRACE_STOP_MS: '60000',
  });
  const { redisUrl, prefix, sealKeys } = services.config;
  await using client = connect({ redis: redisUrl, prefix, seal: sealKeys });
  await (await client.ingestion.enqueue({ source: 'films', items: [{ id: 'a', title: 'A' }] })).done();
  const metrics = await (await fetch(`${health}/metrics`)).text();
  expect(metrics).toMatch(/^millrace_attempts_total\{kind="ingestion",outcome="completed"\} 1$/m);
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([0, null]);
  const at = (path: string) =>
    received
      .filter((one) => one.path === path)
      .map(({ body }) => body)
      .join('\n');
  expect(at('/v1/traces')).toContain('"process ingestion"');
  expect(at('/v1/traces')).toContain('our-workers');
  expect(at('/v1/metrics')).toContain('messaging.process.duration');
}, 60_000);
