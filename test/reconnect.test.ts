/** Owns the proof that processes outlive their Redis: it goes away under live ones, comes back, and work goes on without a restart. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { connect } from '../jobs/client/index.ts';
import { PROJECT_DIR } from '../shared/config.ts';
import { TEST_KEYS, testServices } from './services.ts';

const SERVER = ['redis-server', 'valkey-server'].find((name) => spawnSync(name, ['--version']).status === 0);

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** The first line of a process' output that matches. */
async function line(stream: Readable, pattern: RegExp): Promise<string> {
  for await (const text of createInterface({ input: stream })) if (pattern.test(text)) return text;
  throw new Error(`ended without saying ${pattern}`);
}

test.skipIf(SERVER === undefined)(
  'worker, gateway and dashboard go on when Redis is gone and comes back',
  async () => {
    await using services = await testServices();
    await using stack = new AsyncDisposableStack();
    const folder = await mkdtemp(join(tmpdir(), 'millrace-redis-'));
    stack.defer(() => rm(folder, { recursive: true, force: true }));
    const port = await freePort();
    const children: ChildProcess[] = [];
    stack.defer(async () => {
      const alive = children.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null);
      for (const child of alive) child.kill('SIGKILL');
      await Promise.all(alive.map((child) => once(child, 'exit')));
    });
    const startRedis = async (): Promise<ChildProcess> => {
      const redis = spawn(SERVER as string, [
        '--port',
        String(port),
        '--dir',
        folder,
        '--appendonly',
        'yes',
        '--save',
        '',
      ]);
      children.push(redis);
      await line(redis.stdout, /Ready to accept connections/);
      redis.stdout.resume();
      return redis;
    };
    const env = {
      PATH: process.env.PATH,
      REDIS_URL: `redis://127.0.0.1:${port}`,
      MONGODB_URL: services.config.mongodbUrl,
      MILLRACE_DATABASE: services.database,
      MILLRACE_PREFIX: services.prefix,
      MILLRACE_MASTER_KEY: TEST_KEYS.masterKey.toString('hex'),
      MILLRACE_TENANT_KEY: TEST_KEYS.tenantKey.toString('hex'),
      MILLRACE_SEAL_KEY: TEST_KEYS.sealKeys,
      MILLRACE_GATEWAY_PORT: '0',
      MILLRACE_DASHBOARD_PORT: '0',
      MILLRACE_THREADS: '1',
      MILLRACE_LOG: 'silent',
    };
    const startProcess = async (script: string) => {
      const child = spawn(process.execPath, [script], {
        cwd: PROJECT_DIR,
        env,
        stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
      });
      children.push(child);
      const { address } = JSON.parse(await line(child.stdout as Readable, /^\{"ready"/)) as { address: string };
      child.stdout?.resume();
      return { child, address };
    };

    const first = await startRedis();
    const [worker, gateway, dashboard] = await Promise.all([
      startProcess('workers/main.ts'),
      startProcess('jobs/gateway/main.ts'),
      startProcess('dashboard/main.ts'),
    ]);
    const { secret } = await services.store.apiKeys.create('main', 'test', ['events:write']);
    const post = (id: string): Promise<Response> =>
      fetch(`${gateway.address}/v1/items?wait=20000`, {
        method: 'POST',
        headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' },
        body: JSON.stringify({ source: 'films', items: [{ id, title: `Film ${id}` }] }),
      });
    await using client = connect({ redis: env.REDIS_URL, prefix: services.prefix, seal: TEST_KEYS.sealKeys });
    expect(await (await post('a')).json()).toMatchObject({ state: 'done', accepted: 1 });

    first.kill('SIGKILL');
    await once(first, 'exit');
    const away = await post('b');
    expect([away.status, ((await away.json()) as { code: string }).code]).toEqual([503, 'SERVICE_UNAVAILABLE']);
    await expect(client.ingestion.enqueue({ source: 'films', items: [{ id: 'c', title: 'C' }] })).rejects.toMatchObject(
      {
        code: 'SERVICE_UNAVAILABLE',
      },
    );
    expect((await fetch(`${dashboard.address}/login`)).status).toBeGreaterThanOrEqual(200);

    await startRedis();
    await expect
      .poll(async () => ((await (await post('b')).json()) as { state?: string }).state, {
        timeout: 60_000,
        interval: 200,
      })
      .toBe('done');
    expect((await fetch(`${dashboard.address}/login`)).status).toBe(200);
    for (const { child } of [worker, gateway, dashboard])
      expect([child.exitCode, child.signalCode]).toEqual([null, null]);
    expect(await services.store.items.count('main')).toBe(2);
    for (const { child } of [worker, gateway, dashboard]) {
      child.kill('SIGTERM');
      expect((await once(child, 'exit'))[0]).toBe(0);
    }
  },
  120_000,
);
