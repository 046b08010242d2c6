import { mkdtempDisposable } from 'node:fs/promises';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { probe } from './probe.mjs';

it('says of everything that is missing how to get it, and changes nothing', async () => {
  await using empty = await mkdtempDisposable(join(tmpdir(), 'millrace-probe-'));
  const env = { PATH: empty.path, XDG_CACHE_HOME: empty.path, MILLRACE_STATE: empty.path };
  const findings = await probe(env);
  const named = Object.fromEntries(findings.map((finding) => [finding.name, finding]));
  expect(named['Node 24']).toMatchObject({ state: 'ready', version: expect.stringMatching(/^24\./) });
  for (const name of ['Redis', 'MongoDB', 'keys', 'Chromium', 'TensorFlow native']) {
    expect(named[name]).toMatchObject({ state: 'missing', todo: expect.any(String) });
  }
  expect(named['Chromium']?.optional).toBe(true);
});

it('names the variable of a port that is taken', async () => {
  await using empty = await mkdtempDisposable(join(tmpdir(), 'millrace-probe-'));
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const env = { ...process.env, MILLRACE_STATE: empty.path, MILLRACE_DASHBOARD_PORT: String(port) };
  const finding = (await probe(env)).find(({ name }) => name === 'port of the dashboard');
  expect(finding).toMatchObject({ state: 'failed', todo: 'MILLRACE_DASHBOARD_PORT=PORT npm start' });
  server.close();
});
