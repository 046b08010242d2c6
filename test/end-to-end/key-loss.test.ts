/** The drill of docs/keys.md with real processes: a key is lost, taken for another, found again, rotated. */
import { randomBytes } from 'node:crypto';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MongoClient } from 'mongodb';
import { expect, test } from 'vitest';
import { connect } from '../../jobs/client/index.ts';
import type { KeysStatus } from '../../jobs/cli/commands/keys.ts';
import { keyIdOf } from '../../shared/governance/crypto.ts';
import { mongodbUrl, redisUrl, TEST_KEYS } from '../services.ts';
import { asUser, kill, type Outcome, TIMEOUT_MS, type User } from './as-a-user.ts';
import { writeFilms } from './films.ts';

const OLD = TEST_KEYS.masterKey.toString('hex');
const NEW = randomBytes(32).toString('hex');
const STRANGE = randomBytes(32).toString('hex');
const idOf = (hex: string): string => keyIdOf(Buffer.from(hex, 'hex'));

/** The processes that need keys, each with what it says when it will not start. */
const PROCESSES = [
  ['workers/main.ts'],
  ['jobs/gateway/main.ts'],
  ['dashboard/main.ts'],
  ['jobs/cli/bin.mjs', 'status', '--json'],
] as const;

async function refusals(user: User, env: Record<string, string>): Promise<string[]> {
  const ends: Outcome[] = [];
  for (const [script, ...args] of PROCESSES) ends.push(await user.start(script, args, env).ended);
  for (const { code, stdout, stderr } of ends) {
    expect(code).not.toBe(0);
    for (const key of [OLD, NEW, STRANGE]) expect(stdout + stderr).not.toContain(key);
  }
  return ends.map(({ stdout, stderr }) => /[A-Z]+_[A-Z_]+(?=: )/.exec(stderr + stdout)?.[0] ?? stderr);
}

async function documents(database: string): Promise<string> {
  await using client = await MongoClient.connect(mongodbUrl);
  const db = client.db(database);
  const names = (await db.listCollections({}, { nameOnly: true }).toArray()).map(({ name }) => name).sort();
  const all = await Promise.all(names.map((name) => db.collection(name).find().sort({ _id: 1 }).toArray()));
  return JSON.stringify([names, all]);
}

test(
  'a master key that is lost or taken for another is told in words by every process, and the copy brings everything back',
  async () => {
    await using user = await asUser();
    const { dir } = await writeFilms(user.folder, { people: 40, films: 60, perPerson: 15 });
    const worker = await user.worker();
    await user.json('import', 'movielens', dir);
    await user.json('run', 'refresh', '--wait');
    worker.child.kill('SIGTERM');
    await worker.ended;
    const before = await user.json('recommend', '1');
    const stored = await documents(user.services.database);

    expect(await refusals(user, { MILLRACE_MASTER_KEY: '' })).toEqual(PROCESSES.map(() => 'CONFIG_INVALID'));
    expect(await refusals(user, { MILLRACE_MASTER_KEY: STRANGE })).toEqual(PROCESSES.map(() => 'KEY_WRONG'));
    expect(await refusals(user, { MILLRACE_TENANT_KEY: STRANGE })).toEqual(PROCESSES.map(() => 'KEY_WRONG'));
    expect(await documents(user.services.database)).toBe(stored);
    const doctor = await user.start('jobs/cli/bin.mjs', ['doctor'], { MILLRACE_MASTER_KEY: STRANGE }).ended;
    expect(doctor.code).not.toBe(0);
    expect(doctor.stdout).toContain(`KEY_WRONG: This database was written with master key ${idOf(OLD)}`);

    // The copy, as the command of a key service would give it.
    const safe = join(user.folder, 'safe');
    await writeFile(safe, `#!/bin/sh\necho ${OLD}\n`);
    await chmod(safe, 0o700);
    const copy = { MILLRACE_MASTER_KEY: '', MILLRACE_MASTER_KEY_COMMAND: safe };
    const again = await user.start('jobs/cli/bin.mjs', ['recommend', '1', '--json'], copy).ended;
    expect(JSON.parse(again.stdout)).toEqual(before);
  },
  TIMEOUT_MS,
);

test(
  'a rotation whose worker is killed is finished by another; then the old key opens nothing and is not needed',
  async () => {
    await using user = await asUser();
    const { store } = user.services;
    // Enough that a rotation takes longer than it takes to kill its worker.
    const people = Array.from({ length: 30_000 }, (_, n) => ({ id: `person-${n}`, name: `Name ${n}` }));
    await store.people.upsert('main', people, '1');
    const both = { MILLRACE_MASTER_KEY: `${NEW},${OLD}`, MILLRACE_KINDS: 'migration' };
    const first = user.start('workers/main.ts', [], both);
    await first.line(/^\{"ready"/);
    await using client = connect({ redis: redisUrl, prefix: user.services.prefix });
    const rotation = await client.migration.enqueue({ masterKey: idOf(NEW) });
    for await (const { done } of rotation.progress()) if (done > 0) break;
    await kill(first);
    const halfway = await store.keyring.masters();
    const left = halfway.find(({ id }) => id === idOf(OLD))?.wraps['people'] ?? 0;
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThan(people.length);
    expect(await refusals(user, { MILLRACE_MASTER_KEY: NEW })).toEqual(PROCESSES.map(() => 'MASTER_KEY_MISSING'));

    const second = user.start('workers/main.ts', [], both);
    await second.line(/^\{"ready"/);
    const done = await rotation.done();
    expect(done).toMatchObject({ masterKey: idOf(NEW), left: 0, unreadable: 0 });
    // What the killed process had under way may still have gone in.
    expect('rewrapped' in done && done.rewrapped <= left && done.rewrapped > left - 1_000).toBe(true);
    const again = await user.start('jobs/cli/bin.mjs', ['keys', 'rotate', '--json'], both).ended;
    expect(JSON.parse(again.stdout)).toEqual({ masterKey: idOf(NEW), rewrapped: 0, left: 0, unreadable: 0 });

    const status = await user.start('jobs/cli/bin.mjs', ['keys', 'status', '--json'], { MILLRACE_MASTER_KEY: NEW })
      .ended;
    const { master } = JSON.parse(status.stdout) as KeysStatus;
    expect(master.keys.map(({ id, current, held, wraps }) => ({ id, current, held, wraps }))).toEqual([
      { id: idOf(NEW), current: true, held: true, wraps: { people: people.length } },
      { id: idOf(OLD), current: false, held: false, wraps: {} },
    ]);
    expect(await refusals(user, { MILLRACE_MASTER_KEY: OLD })).toEqual(PROCESSES.map(() => 'KEY_WRONG'));
  },
  TIMEOUT_MS,
);
