/** What an operator does with a store, by the command alone: looks what would go, migrates it, backs it up, restores it, and recommends from what was restored. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MongoClient } from 'mongodb';
import { expect, onTestFinished, test } from 'vitest';
import { mongodbUrl } from '../services.ts';
import { asUser, type Outcome, TIMEOUT_MS, type User } from './as-a-user.ts';
import { writeFilms } from './films.ts';

interface Formats {
  readonly writes: number;
  readonly newest: number;
  readonly lagging: number;
  readonly blocks: number;
}
interface Collection {
  readonly whole: boolean;
  readonly tallies: Readonly<Record<string, { readonly seen: number; readonly gone: number }>>;
  readonly versions: readonly { readonly why: string }[];
}

/** Everything that is stored, as exports have it. */
async function exported(millrace: (...args: string[]) => Promise<Outcome>): Promise<string[][]> {
  const all: string[][] = [];
  for (const what of ['events', 'recommendations']) {
    const { code, stdout, stderr } = await millrace('export', what, '--format', 'csv');
    expect({ what, code, stderr }).toMatchObject({ code: 0 });
    all.push(stdout.trimEnd().split('\n').toSorted());
  }
  return all;
}

/** The command over another database and another Redis prefix, which are removed afterwards. */
function elsewhere(user: User): (...args: string[]) => Promise<Outcome> {
  const database = `${user.services.database}_restored`;
  onTestFinished(async () => {
    const client = await MongoClient.connect(mongodbUrl);
    await client.db(database).dropDatabase();
    await client.close();
  });
  const env = { MILLRACE_DATABASE: database, MILLRACE_PREFIX: `${user.services.prefix}_restored` };
  return (...args) => user.start('jobs/cli/bin.mjs', args, env).ended;
}

test('a store is migrated, backed up and restored, and recommends the same as before', {
  timeout: TIMEOUT_MS,
}, async () => {
  await using user = await asUser();
  const { dir, ratings } = await writeFilms(user.folder, { people: 60, films: 80, perPerson: 20 });
  await user.worker();
  await user.json('import', 'movielens', dir);
  const quick = JSON.stringify({ modelParams: { factors: 16, epochs: 3 }, segments: 3, candidates: 10 });
  await user.json('run', 'refresh', '--params', quick, '--wait');
  const shown = await user.json<{ items: unknown[] }>('recommend', '1');
  expect(shown.items.length).toBeGreaterThan(0);
  const before = await exported(user.millrace);
  expect(before[0]).toHaveLength(ratings + 1);

  const told = await user.json<Collection>('collect', '--dry-run');
  expect(told.whole).toBe(true);
  expect(Object.values(told.tallies).map(({ gone }) => gone)).toEqual(Object.values(told.tallies).map(() => 0));
  expect(new Set(told.versions.map(({ why }) => why))).toContain('release');

  const behind = await user.millrace('migrate', 'run', '--json');
  expect(JSON.parse(behind.stdout)).toMatchObject({ error: { code: 'FORMAT_NOT_ENABLED' } });
  const enabled = await user.json<Formats>('migrate', 'enable');
  expect(enabled).toMatchObject({ writes: enabled.newest });
  await user.json('migrate', 'run');
  expect(await user.json<Formats>('migrate', 'status')).toMatchObject({ ...enabled, lagging: 0 });
  expect(await exported(user.millrace)).toEqual(before);

  const folder = join(user.folder, 'backup');
  await user.json('backup', folder);
  const restored = elsewhere(user);
  expect(await restored('restore', folder)).toMatchObject({ code: 0 });
  expect(await exported(restored)).toEqual(before);
  expect(JSON.parse((await restored('recommend', '1', '--json')).stdout)).toEqual(shown);

  const codeOf = async (): Promise<unknown> => {
    const { code, stdout } = await restored('restore', folder, '--json');
    return [code, (JSON.parse(stdout) as { error: { code: string } }).error.code];
  };
  expect(await codeOf()).toEqual([3, 'RESTORE_REFUSED']);
  const manifest = join(folder, 'manifest.json');
  const text = await readFile(manifest, 'utf8');
  await writeFile(manifest, text.replace('millrace-backup/1', 'millrace-backup/2'));
  expect(await codeOf()).toEqual([3, 'BACKUP_TOO_NEW']);
  await writeFile(manifest, text.replace(/"blockFormat": \d+/, '"blockFormat": 99'));
  expect(await codeOf()).toEqual([3, 'BACKUP_TOO_NEW']);
  await writeFile(manifest, text.replace('millrace-backup/1', 'somebody-elses'));
  expect(await codeOf()).toEqual([3, 'BACKUP_INVALID']);
});
