import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, it } from 'vitest';
import { configuredPort, freePort, isPortFree, requirePort } from './ports.mjs';

it('names a busy port, what it was for, and the variable that moves it', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const refusal = requirePort('redis', { MILLRACE_REDIS_PORT: String(port) });
  await expect(refusal).rejects.toMatchObject({
    message: `Port ${port}, wanted for Redis, is used by another program.`,
    todo: expect.stringMatching(/MILLRACE_REDIS_PORT=\d+ npm start/),
  });
  server.close();
});

it('gives a port that is free now', async () => {
  const port = await freePort();
  expect(await isPortFree(port)).toBe(true);
  expect(await requirePort('mongodb', { MILLRACE_MONGODB_PORT: String(port) })).toBe(port);
});

it('refuses a variable that is no port, and falls back to the default when it is empty', () => {
  for (const wrong of ['abc', '0', '65536', '1.5']) {
    expect(() => configuredPort('gateway', { MILLRACE_GATEWAY_PORT: wrong })).toThrow(/MILLRACE_GATEWAY_PORT/);
  }
  expect(configuredPort('gateway', { MILLRACE_GATEWAY_PORT: '' })).toBe(4401);
});
