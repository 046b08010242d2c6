/** What a person gets wrong, or finds missing: a coded error that says what to do, in seconds, and nothing stored by halves. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { asUser } from './as-a-user.ts';
import { writeFilms } from './films.ts';

const CLI = 'jobs/cli/bin.mjs';
const AWAY = 'redis://127.0.0.1:1';

describe('a service that is away', () => {
  test.each([
    ['Redis', 'REDIS_URL', AWAY, ['status']],
    ['Redis', 'REDIS_URL', AWAY, ['run', 'refresh', '--wait']],
    ['the store', 'MONGODB_URL', 'mongodb://127.0.0.1:1', ['status']],
    ['the store', 'MONGODB_URL', 'mongodb://127.0.0.1:1', ['export', 'events']],
  ])('%s (%s at %s) is named with the way out by %j', async (_what, variable, url, words) => {
    await using user = await asUser();
    const { code, stdout, stderr } = await user.start(CLI, words, { [variable]: url }).ended;
    expect({ code, stdout }).toEqual({ code: 4, stdout: '' });
    expect(stderr).toMatch(/^SERVICE_UNAVAILABLE: .*127\.0\.0\.1:1 does not answer.*`npm start`/);
  });

  test('ends an import in the middle of many batches with one coded error', async () => {
    await using user = await asUser();
    const { dir } = await writeFilms(user.folder, { people: 200, films: 100, perPerson: 40 });
    const { code, stderr } = await user.start(CLI, ['import', 'movielens', dir], { REDIS_URL: AWAY }).ended;
    expect(code).toBe(4);
    expect(stderr).toMatch(/^SERVICE_UNAVAILABLE: .*\n$/);
  });
});

describe('import events', () => {
  test('names bad rows, stores the good ones, and refuses files without any', async () => {
    await using user = await asUser();
    await user.worker();
    const path = join(user.folder, 'some.jsonl');
    const good = '{"type":"click","user":"u1","item":"i1","occurredAt":1000}';
    const bad = ['{"type":"click"', '{"type":"click","user":"u1","item":"i1","occurredAt":1000,"colour":"red"}'];
    await writeFile(path, `${[good, ...bad, '{"type":"click","user":7}'].join('\n')}\n`);
    const some = await user.millrace('import', 'events', path, '--allow-unknown-items');
    expect(some).toMatchObject({ code: 0, stdout: expect.stringMatching(/^1 events? stored/) });
    for (const line of [2, 3, 4])
      expect(some.stderr).toMatch(new RegExp(`line ${line}: (EVENT_INVALID|FILE_MALFORMED)`));
    expect(await user.services.store.events.count('main')).toBe(1);
    await writeFile(path, bad.join('\n'));
    expect(await user.millrace('import', 'events', path)).toMatchObject({ code: 3 });
    const columns = join(user.folder, 'columns.csv');
    await writeFile(columns, 'type,user,item,occurredAt,colour\nclick,u1,i1,1000,red\n');
    expect(await user.millrace('import', 'events', columns)).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('colour'),
    });
    expect(await user.services.store.events.count('main')).toBe(1);
  });
});

test('a MovieLens folder with a broken line is refused whole, with the line', async () => {
  await using user = await asUser();
  const { dir } = await writeFilms(user.folder, { people: 20, films: 50, perPerson: 10 });
  await writeFile(join(dir, 'u.data'), '1\t2\t4\t880000000\n1\tmany\n', { flag: 'a' });
  const { code, stderr } = await user.millrace('import', 'movielens', dir);
  expect(code).toBe(3);
  expect(stderr).toMatch(/^FILE_MALFORMED.*[^]*line: 202/);
  const { store } = user.services;
  expect([await store.items.count('main'), await store.people.count('main')]).toEqual([0, 0]);
});

test('a wrong password at the dashboard opens nothing and says so', async () => {
  await using user = await asUser();
  await user.json('password', 'reset');
  const dashboard = user.start('dashboard/main.ts');
  const { address } = JSON.parse(await dashboard.line(/^\{"ready"/)) as { address: string };
  const page = await fetch(`${address}/login`);
  const cookie = page.headers
    .getSetCookie()
    .map((text) => text.split(';')[0])
    .join('; ');
  const token = /name="_csrf" value="([^"]+)"/.exec(await page.text())![1]!;
  const headers = { cookie, origin: address, 'content-type': 'application/x-www-form-urlencoded' };
  const body = new URLSearchParams({ user: 'admin', password: 'not-the-password', _csrf: token });
  const answer = await fetch(`${address}/login`, { method: 'POST', headers, body, redirect: 'manual' });
  expect(answer.status).toBe(401);
  expect(await answer.text()).toContain('AUTH_PASSWORD_WRONG');
  const inside = await fetch(address, { headers: { cookie }, redirect: 'manual' });
  expect([302, 303, 401]).toContain(inside.status);
});
