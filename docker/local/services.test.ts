import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtempDisposable } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { createInterface } from 'node:readline';
import { MongoClient } from 'mongodb';
import { describe, expect, it } from 'vitest';
import { findBuild } from './documentdb-build.mjs';
import { projectRoot } from './paths.mjs';
import { freePort } from './ports.mjs';
import { findOnPath, isAlive } from './processes.mjs';
import { readServices } from './state.mjs';

const canStart =
  findOnPath('redis-server') !== undefined && (findOnPath('mongod') !== undefined || findBuild() !== undefined);

const temporaryFolder = () => mkdtempDisposable(join(tmpdir(), 'millrace-services-'));

/** Runs one of the set-up's scripts on a state folder of its own; no services are given. */
function runScript(script: string, env: Record<string, string>) {
  const { REDIS_URL: _redis, MONGODB_URL: _mongodb, ...rest } = process.env;
  const child = spawn(process.execPath, [join(projectRoot, 'docker/local', script)], {
    env: { ...rest, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return { child, exited: once(child, 'exit') };
}

async function freePorts(): Promise<Record<string, string>> {
  return { MILLRACE_REDIS_PORT: String(await freePort()), MILLRACE_MONGODB_PORT: String(await freePort()) };
}

describe.skipIf(!canStart)('the services of a checkout', () => {
  it('keep their data from one start to the next, and Ctrl-C stops them and nothing else', async () => {
    await using state = await temporaryFolder();
    const env = { MILLRACE_STATE: state.path, ...(await freePorts()) };
    for (const expected of [0, 1]) {
      const { child, exited } = runScript('services.mjs', env);
      const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
      const url = /MONGODB_URL=(\S+)/.exec(line)?.[1] ?? '';
      const client = await new MongoClient(url).connect();
      const starts = client.db('house').collection<{ at: number }>('starts');
      expect(await starts.countDocuments()).toBe(expected);
      await starts.insertOne({ at: expected });
      await client.close();

      const running = readServices(state.path);
      expect(running?.mongodbUrl).toBe(url);
      child.kill('SIGINT');
      expect(await exited).toEqual([0, null]);
      expect(await Promise.all((running?.processes ?? []).map(isAlive))).not.toContain(true);
      expect(existsSync(join(state.path, 'services.json'))).toBe(false);
    }
  });

  it('refuse a second start on the same folder, and the first goes on', async () => {
    await using state = await temporaryFolder();
    const first = runScript('services.mjs', { MILLRACE_STATE: state.path, ...(await freePorts()) });
    await once(createInterface({ input: first.child.stdout }), 'line');
    const second = runScript('services.mjs', { MILLRACE_STATE: state.path, ...(await freePorts()) });
    const [told, [code]] = await Promise.all([text(second.child.stderr), second.exited]);
    expect(code).toBe(1);
    expect(told).toContain(`Millrace already runs here, as process ${first.child.pid}`);
    const running = readServices(state.path);
    expect(await Promise.all((running?.processes ?? []).map(isAlive))).not.toContain(false);
    first.child.kill('SIGTERM');
    await first.exited;
  });
});

it('npm start names a busy port before it starts anything', async () => {
  await using state = await temporaryFolder();
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const { child, exited } = runScript('start.mjs', {
    MILLRACE_STATE: state.path,
    MILLRACE_DASHBOARD_PORT: String(port),
  });
  const [told, [code]] = await Promise.all([text(child.stderr), exited]);
  expect(code).toBe(1);
  expect(told).toContain(`Port ${port}, wanted for the dashboard, is used by another program.`);
  expect(told).toMatch(/MILLRACE_DASHBOARD_PORT=\d+ npm start/);
  expect(existsSync(join(state.path, 'redis'))).toBe(false);
  server.close();
});
