import { existsSync } from 'node:fs';
import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { withLock } from './lock.mjs';

const temporaryFolder = () => mkdtempDisposable(join(tmpdir(), 'millrace-lock-'));

it('lets one of two work and the other wait, and says who is at it', async () => {
  await using folder = await temporaryFolder();
  const file = join(folder.path, 'build.lock');
  const order: string[] = [];
  const { promise: secondWaits, resolve: waits } = Promise.withResolvers<number>();
  const first = withLock(file, async () => {
    order.push('first begins');
    expect(await secondWaits).toBe(process.pid);
    order.push('first ends');
  });
  const second = withLock(file, async () => void order.push('second'), waits);
  await Promise.all([first, second]);
  expect(order).toEqual(['first begins', 'first ends', 'second']);
  expect(existsSync(file)).toBe(false);
});

it('takes over the lock of a set-up that was killed', async () => {
  await using folder = await temporaryFolder();
  const file = join(folder.path, 'build.lock');
  await writeFile(file, JSON.stringify({ pid: 2 ** 22 + 1, startedAt: '1', command: 'gone' }));
  expect(await withLock(file, async () => 'done')).toBe('done');
});

it('frees the lock when the work fails', async () => {
  await using folder = await temporaryFolder();
  const file = join(folder.path, 'build.lock');
  const failing = withLock(file, async () => {
    throw new Error('no disk');
  });
  await expect(failing).rejects.toThrow('no disk');
  expect(existsSync(file)).toBe(false);
});
