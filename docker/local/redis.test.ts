import { existsSync } from 'node:fs';
import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { freePort } from './ports.mjs';
import { findOnPath, identify } from './processes.mjs';
import { silentStep } from './progress.mjs';
import { givenRedis, redisProgram, startRedis } from './redis.mjs';

const program = findOnPath('redis-server') ?? findOnPath('valkey-server');
const temporaryFolder = () => mkdtempDisposable(join(tmpdir(), 'millrace-redis-'));

describe.skipIf(program === undefined)('a Redis that set-up starts', () => {
  const start = async (folder: string) =>
    startRedis({ program: program ?? '', port: await freePort(), folder, durable: true });

  it('keeps jobs over a restart, never evicts them, and listens on loopback only', async () => {
    await using folder = await temporaryFolder();
    const first = await start(folder.path);
    const client = new Redis(first.url);
    await client.set('job', 'waiting');
    expect(await client.config('GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'noeviction']);
    expect(await client.config('GET', 'appendonly')).toEqual(['appendonly', 'yes']);
    expect(await client.config('GET', 'bind')).toEqual(['bind', '127.0.0.1']);
    client.disconnect();
    await first.services[0]?.stop();
    expect(await identify(first.services[0]?.pid ?? 0)).toBeUndefined();

    const second = await start(folder.path);
    const again = new Redis(second.url);
    expect(await again.get('job')).toBe('waiting');
    again.disconnect();
    await second.services[0]?.stop();
    expect(existsSync(join(folder.path, 'appendonlydir'))).toBe(true);
  });

  it('is taken as it is when REDIS_URL names it', async () => {
    await using folder = await temporaryFolder();
    const store = await start(folder.path);
    const given = await givenRedis({ REDIS_URL: store.url });
    expect(given).toEqual({ url: store.url, engine: 'REDIS_URL', version: store.version, services: [] });
    await store.services[0]?.stop();
  });
});

it('refuses a REDIS_URL that does not answer, without showing its password', async () => {
  const refusal = givenRedis({ REDIS_URL: `redis://:secret@127.0.0.1:${await freePort()}` });
  await expect(refusal).rejects.toThrow(/REDIS_URL is set, but redis:\/\/\*\*\*@127\.0\.0\.1:\d+ does not answer/);
  await expect(refusal).rejects.not.toThrow(/secret/);
});

it('says what to install where there is no Redis and nothing may be installed', async () => {
  await using empty = await temporaryFolder();
  await expect(redisProgram(silentStep(), { PATH: empty.path })).rejects.toMatchObject({
    message: expect.stringContaining('neither redis-server nor valkey-server is on PATH'),
    todo: expect.stringMatching(/apt-get install redis-server.*REDIS_URL/),
  });
});
