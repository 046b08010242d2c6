/**
 * Owns using Millrace as a person does: the command, workers and servers as processes of their own, over a database, a Redis prefix
 * and a state folder that nobody else has. Tests wait for what the processes print and end, never for time.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { mongodbUrl, redisUrl, TEST_KEYS, type TestServices, testServices } from '../services.ts';

export const PROJECT_DIR = resolve(import.meta.dirname, '../..');
export const BIN = join(PROJECT_DIR, 'jobs/cli/bin.mjs');
/** Of a test that kills workers: each takes half a minute, several times that on a machine that is busy with something else. */
export const TIMEOUT_MS = 300_000;
export const TEST_DATA = process.env.MILLRACE_TEST_DATA ?? resolve(PROJECT_DIR, '../shared/data');

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcess;
  /** Everything it said so far, both streams. */
  readonly said: () => string;
  /** The first line, of either stream, that matches and was not handed out yet; rejects when the process ends before. */
  readonly line: (pattern: RegExp) => Promise<string>;
  readonly ended: Promise<Outcome>;
}

type Environment = Readonly<Record<string, string>>;

export interface User extends AsyncDisposable {
  readonly services: TestServices;
  /** Empty and its own: state, and whatever the test writes. */
  readonly folder: string;
  readonly env: Environment;
  /** Starts a program of the project; it is killed at the end, if it still runs. */
  readonly start: (script: string, args?: readonly string[], env?: Environment) => Running;
  /** Runs a program to its end. */
  readonly run: (script: string) => Promise<Outcome>;
  /** Runs `millrace ...` to its end. */
  readonly millrace: (...args: string[]) => Promise<Outcome>;
  /** Runs `millrace ... --json`, which must succeed, and reads its answer. */
  readonly json: <T = Record<string, unknown>>(...args: string[]) => Promise<T>;
  /** A worker process, ready. */
  readonly worker: () => Promise<Running>;
}

/** Hands out lines in order: a pattern sees each line once. */
function lineReader(child: ChildProcess, said: () => string): Running['line'] {
  const lines: string[] = [];
  let changed = Promise.withResolvers<void>();
  for (const stream of [child.stdout!, child.stderr!])
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line);
      changed.resolve();
      changed = Promise.withResolvers();
    });
  let over = false;
  child.once('close', () => {
    over = true;
    changed.resolve();
  });
  return async (pattern) => {
    for (;;) {
      const at = lines.findIndex((line) => pattern.test(line));
      if (at >= 0) return lines.splice(0, at + 1).at(-1)!;
      if (over) throw new Error(`It ended without saying ${String(pattern)}:\n${said()}`);
      await changed.promise;
    }
  };
}

function listen(child: ChildProcess): Running {
  const text = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name]!.setEncoding('utf8').on('data', (chunk: string) => {
      text[name] += chunk;
    });
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, ...text }));
  const said = () => text.stdout + text.stderr;
  return { child, said, ended, line: lineReader(child, said) };
}

export async function asUser(): Promise<User> {
  await using stack = new AsyncDisposableStack();
  const services = stack.use(await testServices());
  const folder = await mkdtemp(join(tmpdir(), 'millrace-user-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const { masterKey, tenantKey, sealKeys } = TEST_KEYS;
  const env: Environment = {
    PATH: process.env.PATH ?? '',
    HOME: process.env.HOME ?? folder,
    REDIS_URL: redisUrl,
    MONGODB_URL: mongodbUrl,
    MILLRACE_DATABASE: services.database,
    MILLRACE_PREFIX: services.prefix,
    MILLRACE_MASTER_KEY: masterKey.toString('hex'),
    MILLRACE_TENANT_KEY: tenantKey.toString('hex'),
    MILLRACE_SEAL_KEY: sealKeys,
    MILLRACE_STATE: folder,
    MILLRACE_GATEWAY_PORT: '0',
    MILLRACE_DASHBOARD_PORT: '0',
    MILLRACE_SCHEDULES: 'off',
    MILLRACE_LOG: 'warn',
    MILLRACE_THREADS: '2',
  };
  const children = new Set<Running>();
  stack.defer(async () => {
    for (const { child } of children) child.kill('SIGKILL');
    await Promise.all([...children].map(({ ended }) => ended));
  });
  const start: User['start'] = (script, args = [], more = {}) => {
    const child = spawn(process.execPath, [resolve(PROJECT_DIR, script), ...args], {
      env: { ...env, ...more },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const running = listen(child);
    children.add(running);
    void running.ended.then(() => children.delete(running));
    return running;
  };
  const millrace: User['millrace'] = (...args) => start('jobs/cli/bin.mjs', args).ended;
  const owned = stack.move();
  return {
    services,
    folder,
    env,
    start,
    millrace,
    run: (script) => start(script).ended,
    async json<T>(...args: string[]): Promise<T> {
      const outcome = await millrace(...args, '--json');
      if (outcome.code !== 0) throw new Error(`millrace ${args.join(' ')} failed: ${JSON.stringify(outcome)}`);
      return JSON.parse(outcome.stdout) as T;
    },
    async worker() {
      const running = start('workers/main.ts');
      await running.line(/^\{"ready"/);
      return running;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Ends a process as a crash would, and waits until it is gone. */
export async function kill({ child, ended }: Running): Promise<void> {
  child.kill('SIGKILL');
  await ended;
}
