/** Facts about the server processes themselves: gateway and dashboard, started by hand as `millrace up` starts them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TEST_KEYS, type TestServices, testServices } from '../../test/services.ts';
import { PROJECT_DIR } from '../config.ts';

let services: TestServices;
beforeAll(async () => {
  services = await testServices();
});
afterAll(() => services[Symbol.asyncDispose]());

const PROCESSES = [
  { name: 'gateway', script: 'jobs/gateway/main.ts', port: 'MILLRACE_GATEWAY_PORT', health: '/v1/healthz' },
  { name: 'dashboard', script: 'dashboard/main.ts', port: 'MILLRACE_DASHBOARD_PORT', health: '/healthz' },
] as const;

function start(script: string, more: Readonly<Record<string, string>>): ChildProcess {
  const { config } = services;
  const env = {
    PATH: process.env.PATH,
    REDIS_URL: config.redisUrl,
    MONGODB_URL: config.mongodbUrl,
    MILLRACE_DATABASE: config.database,
    MILLRACE_PREFIX: config.prefix,
    MILLRACE_MASTER_KEY: TEST_KEYS.masterKey.toString('hex'),
    MILLRACE_TENANT_KEY: TEST_KEYS.tenantKey.toString('hex'),
    MILLRACE_SEAL_KEY: TEST_KEYS.sealKeys,
    ...more,
  };
  return spawn(process.execPath, [script], { cwd: PROJECT_DIR, env, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
}

async function ready(child: ChildProcess): Promise<{ ready: string; address: string }> {
  const lines = createInterface({ input: child.stdout as Readable });
  const [line] = (await once(lines, 'line')) as [string];
  return JSON.parse(line) as { ready: string; address: string };
}

async function busyPort(): Promise<{ server: Server; port: number }> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return { server, port: typeof address === 'object' && address !== null ? address.port : 0 };
}

describe.each(PROCESSES)('the $name', ({ name, script, port, health }) => {
  it('says in one line where it listens, serves, and ends in order on SIGTERM', async () => {
    const child = start(script, { [port]: '0' });
    const line = await ready(child);
    expect(line).toMatchObject({ ready: name, address: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/) });
    expect((await fetch(line.address + health)).status).toBe(200);
    child.kill('SIGTERM');
    expect((await once(child, 'exit'))[0]).toBe(0);
  });

  it('ends when the process that started it is gone', async () => {
    const child = start(script, { [port]: '0' });
    await ready(child);
    child.disconnect();
    expect((await once(child, 'exit'))[0]).toBe(0);
  });

  it('names a busy port and the setting that moves it', async () => {
    const { server, port: taken } = await busyPort();
    const child = start(script, { [port]: String(taken) });
    const [said, [code]] = await Promise.all([text(child.stderr as Readable), once(child, 'exit')]);
    server.close();
    expect(code).toBe(1);
    const failure = said.split('\n').find((line) => line.includes('PORT_BUSY'));
    expect(JSON.parse(failure ?? '{}')).toMatchObject({ code: 'PORT_BUSY', details: { port: taken, variable: port } });
  });

  it('names every setting that is missing, and repeats no key', async () => {
    const child = start(script, { MILLRACE_MASTER_KEY: 'not-hex', MILLRACE_STATE: '/nonexistent' });
    const [said, [code]] = await Promise.all([text(child.stderr as Readable), once(child, 'exit')]);
    expect(code).toBe(1);
    expect(said).toContain('CONFIG_INVALID');
    expect(said).toContain('MILLRACE_MASTER_KEY');
    expect(said).not.toContain('not-hex');
  });

  it('says that the store does not answer when it does not', async () => {
    const { server, port: nobody } = await busyPort();
    server.close();
    await once(server, 'close');
    const child = start(script, { MONGODB_URL: `mongodb://127.0.0.1:${nobody}` });
    const [said, [code]] = await Promise.all([text(child.stderr as Readable), once(child, 'exit')]);
    expect(code).toBe(1);
    expect(said).toContain('SERVICE_UNAVAILABLE');
  });
});
