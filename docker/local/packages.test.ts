import { mkdir, mkdtempDisposable, readFile, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { whyStale } from './packages.mjs';
import { projectRoot } from './paths.mjs';

async function project(wanted: object, installed?: object) {
  const folder = await mkdtempDisposable(join(tmpdir(), 'millrace-packages-'));
  const lock = join(folder.path, 'package-lock.json');
  await writeFile(lock, JSON.stringify({ packages: wanted }));
  if (installed) {
    await mkdir(join(folder.path, 'node_modules'));
    await writeFile(join(folder.path, 'node_modules', '.package-lock.json'), JSON.stringify({ packages: installed }));
    // The lockfile is newer than what is installed, as after a pull.
    const later = new Date(Date.now() + 60_000);
    await utimes(lock, later, later);
  }
  return folder;
}

const LOCK = { '': {}, 'node_modules/zod': { version: '4.6.7' } };

it('finds packages that were never installed', async () => {
  await using folder = await project(LOCK);
  expect(whyStale(folder.path)).toBe('not installed yet');
});

it('names the package that changed with the lockfile', async () => {
  await using folder = await project(LOCK, { 'node_modules/zod': { version: '4.6.6' } });
  expect(whyStale(folder.path)).toBe('node_modules/zod changed');
});

it('is content when only the time of the lockfile changed, or a package of another platform is absent', async () => {
  const wanted = { ...LOCK, 'node_modules/fsevents': { version: '2.3.3', optional: true } };
  await using folder = await project(wanted, { 'node_modules/zod': { version: '4.6.7' } });
  expect(whyStale(folder.path)).toBeUndefined();
});

it('has a lockfile that names the optional packages of every platform, without which npm ci refuses', async () => {
  const lock = JSON.parse(await readFile(join(projectRoot, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { version?: string; optionalDependencies?: Record<string, string> }>;
  };
  const wanted = Object.entries(lock.packages).flatMap(([path, { optionalDependencies }]) =>
    Object.keys(optionalDependencies ?? {}).map((name) => ({ path, name })),
  );
  const missing = wanted.filter(
    ({ path, name }) => !lock.packages[`${path}/node_modules/${name}`] && !lock.packages[`node_modules/${name}`],
  );
  expect(wanted.length).toBeGreaterThan(0);
  expect(missing).toEqual([]);
});
