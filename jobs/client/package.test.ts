/** The packed client in an empty project: what it brings along, how it types, and that it runs under plain Node. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { publint } from 'publint';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packClient } from './pack.ts';
import { REDIS_URL, RedisFixture } from './redis-fixture.ts';

const run = promisify(execFile);
const PROJECT_DIR = resolve(fileURLToPath(new URL('../..', import.meta.url)));
const BIN_DIR = join(PROJECT_DIR, 'node_modules', '.bin');
const env = { ...process.env, PATH: `${BIN_DIR}${delimiter}${process.env.PATH ?? ''}` };

const CONSUMER_TS = `
import { connect, type AppError, type JobHandle, type Rejection } from '@millrace/client';
import { connectInMemory } from '@millrace/client/testing';
import { OUTBOX_FIELD, type OutboxEntry, outboxEntry } from '@millrace/client/outbox';

await using millrace = connect({ redis: process.env.REDIS_URL, seal: process.env.MILLRACE_SEAL_KEY });
const events = [{ type: 'view' as const, user: 'u1', item: 'i1', value: 80, occurredAt: 1 }];
const batch = await millrace.ingestion.enqueue({ source: 'web', events }, { key: 'b1' });
const { accepted, rejected } = await batch.done();
const total: number = accepted;
const first: Rejection | undefined = rejected[0];
const job: JobHandle<'bias-audit'> = await millrace.biasAudit.enqueue({ dataset: 'd', candidates: 'c' });
const users: number = (await job.done()).users;
// @ts-expect-error a wrong field is a red line before it is an error
await millrace.segmentation.enqueue({ feature: 'f' });
// @ts-expect-error so is a wrong event type
await millrace.ingestion.enqueue({ source: 'web', events: [{ type: 'viewed', user: 'u', occurredAt: 1 }] });
// @ts-expect-error and an unknown kind
millrace.job('segments');
const memory = connectInMemory({ handlers: { pipeline: () => ({ run: 'r1' }) } });
const entry: OutboxEntry = outboxEntry('segmentation', { features: 'f' }, { key: 'k' });
const order = { total: 3, [OUTBOX_FIELD]: entry };
// @ts-expect-error an entry's input is typed as an enqueue's is
outboxEntry('segmentation', { feature: 'f' });
const error: AppError['code'] = 'KEY_REUSED';
export { error, first, memory, order, total, users };
`;

const CONSUMER_JS = `
import { connect } from '@millrace/client';
import { outboxEntry } from '@millrace/client/outbox';
await using millrace = connect({ redis: process.env.REDIS_URL, prefix: process.env.PREFIX, seal: process.env.SEAL });
const job = await millrace.segmentation.enqueue({ features: 'f1' }, { key: 'packed' });
const events = [{ type: 'click', user: 'u1', item: 'i1', occurredAt: 1 }, { type: 'click' }];
const batch = await millrace.ingestion.enqueue({ source: 'web', events });
console.log(JSON.stringify({ id: job.id, state: await job.state(), batch: batch.ids, rejected: batch.rejected, outbox: outboxEntry('segmentation', { features: 'f1' }, { key: 'packed' }) }));
`;

describe('the packed client', () => {
  let dir = '';
  let installed = '';

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'millrace-consumer-'));
    const tarball = await packClient(dir);
    await writeFile(join(dir, 'package.json'), JSON.stringify({ name: 'consumer', private: true, type: 'module' }));
    const flags = ['--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund'];
    await run('npm', ['install', ...flags, tarball], { cwd: dir, env });
    installed = join(dir, 'node_modules', '@millrace', 'client');
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  it('brings no database driver, thread pool, TensorFlow or web server along', async () => {
    const { stdout } = await run('npm', ['ls', '--all', '--parseable'], { cwd: dir, env });
    const packages = stdout.trim().split('\n').slice(1);
    expect(packages.some((path) => path.endsWith('/bullmq'))).toBe(true);
    expect(packages.filter((path) => /mongodb|bson|piscina|tensorflow|fastify|pino/.test(path))).toEqual([]);
    expect(packages.length).toBeLessThan(40);
  });

  it('holds compiled contracts, kit and client, no tests and no sources', async () => {
    const files = await readdir(installed, { recursive: true });
    expect(files).toContain(join('dist', 'jobs', 'client', 'index.js'));
    expect(files).toContain('LICENSE');
    const strange = files.filter((file) => /\.test\.|fixture|pack\.|(?<!\.d)\.ts$|workers|store|numerics/.test(file));
    expect(strange).toEqual([]);
  });

  it('asks for the versions that the repository is tested with', async () => {
    const read = async (path: string) =>
      JSON.parse(await readFile(path, 'utf8')) as { version: string; dependencies: Record<string, string> };
    const [root, client] = [await read(join(PROJECT_DIR, 'package.json')), await read(join(installed, 'package.json'))];
    expect(root.dependencies).toMatchObject(client.dependencies);
    expect(Object.keys(client.dependencies)).toEqual(['bullmq', 'ioredis', 'zod']);
    expect(client.version).toBe(root.version);
  });

  it('passes publint', async () => {
    const { messages } = await publint({ pkgDir: installed, pack: false, strict: true });
    expect(messages).toEqual([]);
  });

  it('types a TypeScript consumer', async () => {
    await writeFile(join(dir, 'consumer.ts'), CONSUMER_TS);
    const typeRoots = ['--typeRoots', join(PROJECT_DIR, 'node_modules', '@types')];
    const options = ['--strict', '--module', 'nodenext', '--target', 'es2022', '--types', 'node', '--skipLibCheck'];
    const lib = ['--lib', 'es2024,esnext.disposable', '--exactOptionalPropertyTypes', '--noEmit'];
    const { stdout } = await run(join(BIN_DIR, 'tsc'), [...options, ...lib, ...typeRoots, 'consumer.ts'], {
      cwd: dir,
      env,
    }).catch((failure: { stdout: string }) => failure);
    expect(stdout).toBe('');
  });

  it.skipIf(REDIS_URL === undefined)('enqueues from plain JavaScript', async () => {
    await using fixture = new RedisFixture();
    await writeFile(join(dir, 'consumer.mjs'), CONSUMER_JS);
    const { stdout } = await run(process.execPath, ['consumer.mjs'], {
      cwd: dir,
      env: { ...env, REDIS_URL: fixture.url, PREFIX: fixture.prefix, SEAL: fixture.seal },
    });
    const told = JSON.parse(stdout) as {
      id: string;
      state: string;
      batch: string[];
      rejected: unknown[];
      outbox: unknown;
    };
    expect(told.state).toBe('waiting');
    expect(told.outbox).toMatchObject({ v: 1, due: true, jobs: [{ envelope: { kind: 'segmentation' } }] });
    expect(told.rejected).toMatchObject([{ index: 1, code: 'EVENT_INVALID' }]);
    const seen = Promise.withResolvers<unknown>();
    fixture.worker('ingestion', (input) => {
      seen.resolve(input);
      return { accepted: 1, duplicates: 0, rejected: [] };
    });
    expect(await seen.promise).toMatchObject({ source: 'web', events: [{ type: 'click', user: 'u1' }] });
    const job = await fixture.connect().segmentation.get(told.id);
    expect(await job?.state()).toBe('waiting');
  });
});
