import { mkdtempDisposable, readFile, stat, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { identify } from './processes.mjs';
import { ensureKeys, readServices, recoverState } from './state.mjs';
import { startSleeper } from './stand-ins.ts';

const temporaryFolder = () => mkdtempDisposable(join(tmpdir(), 'millrace-state-'));

it('makes three different keys of 32 bytes that only this user can read', async () => {
  await using folder = await temporaryFolder();
  expect(ensureKeys(folder.path)).toEqual(['master', 'tenant', 'seal']);
  const keys = new Set<string>();
  for (const name of ['master', 'tenant', 'seal']) {
    const file = join(folder.path, 'keys', `${name}.key`);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const key = (await readFile(file, 'utf8')).trim();
    expect(key).toMatch(/^[0-9a-f]{64}$/);
    keys.add(key);
  }
  expect(keys.size).toBe(3);
  expect((await stat(join(folder.path, 'keys'))).mode & 0o777).toBe(0o700);
});

it('keeps the keys of an earlier start, and closes those that others could read', async () => {
  await using folder = await temporaryFolder();
  ensureKeys(folder.path);
  const file = join(folder.path, 'keys', 'seal.key');
  await writeFile(file, 'a'.repeat(64), { mode: 0o644 });
  expect(ensureKeys(folder.path)).toEqual([]);
  expect(await readFile(file, 'utf8')).toBe('a'.repeat(64));
  expect((await stat(file)).mode & 0o777).toBe(0o600);
});

async function writeLeftover(folder: string, owner: object, processes: object[]): Promise<void> {
  const content = { redisUrl: 'redis://127.0.0.1:1', mongodbUrl: 'mongodb://127.0.0.1:1', owner, processes };
  await writeFile(join(folder, 'services.json'), JSON.stringify(content));
}

const GONE = { pid: 2 ** 22 + 1, startedAt: '1', command: 'gone' };

it('stops what a killed run left, and leaves a stranger alone who has one of its pids', async () => {
  await using folder = await temporaryFolder();
  await using ours = await startSleeper();
  await using stranger = await startSleeper();
  const left = { name: 'Redis', stopSignal: 'SIGTERM', ...(await identify(ours.pid)) };
  const reused = { name: 'MongoDB', stopSignal: 'SIGTERM', ...(await identify(stranger.pid)), startedAt: '1' };
  await writeLeftover(folder.path, GONE, [left, reused]);
  const ended = once(ours.child, 'exit');
  expect(await recoverState(folder.path)).toEqual(['Redis']);
  await ended;
  expect(ours.child.signalCode).toBe('SIGTERM');
  expect(await identify(stranger.pid)).toBeDefined();
  expect(readServices(folder.path)).toBeUndefined();
});

it('refuses a second start while the first one lives', async () => {
  await using folder = await temporaryFolder();
  await using owner = await startSleeper();
  await writeLeftover(folder.path, { ...(await identify(owner.pid)) }, []);
  await expect(recoverState(folder.path)).rejects.toThrow(`already runs here, as process ${owner.pid}`);
  expect(readServices(folder.path)).toBeDefined();
});
