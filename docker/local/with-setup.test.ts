import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtempDisposable, readdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it } from 'vitest';
import { findBuild } from './documentdb-build.mjs';
import { projectRoot } from './paths.mjs';
import { findOnPath, isAlive, type ProcessIdentity } from './processes.mjs';

const canStart =
  findOnPath('redis-server') !== undefined && (findOnPath('mongod') !== undefined || findBuild() !== undefined);

const temporaryFolder = () => mkdtempDisposable(join(tmpdir(), 'millrace-run-'));

/** Starts with-setup on a script of one line, with a state folder of its own and no services given. */
async function startRun(state: string, script: string, env: NodeJS.ProcessEnv = {}) {
  const file = join(state, 'script.mjs');
  await writeFile(file, script);
  const { REDIS_URL: _redis, MONGODB_URL: _mongodb, ...rest } = process.env;
  const child = spawn(process.execPath, [join(projectRoot, 'docker/local/with-setup.mjs'), file, 'one', 'two'], {
    cwd: projectRoot,
    env: { ...rest, MILLRACE_STATE: state, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  return { child, exited, firstLine: firstLineOf(child) };
}

async function firstLineOf(child: ChildProcess): Promise<string> {
  if (!child.stdout) throw new Error('no output');
  for await (const line of createInterface({ input: child.stdout })) return line;
  throw new Error('nothing was written');
}

/** What services.json of the one run says is running. */
async function processesOf(state: string): Promise<ProcessIdentity[]> {
  const folder = (await readdir(state)).find((name) => name.startsWith('test-'));
  return JSON.parse(readFileSync(join(state, folder ?? '', 'services.json'), 'utf8')).processes;
}

/** Which of these processes still live, and which folders of runs are still there. */
async function leftOver(state: string, processes: ProcessIdentity[]): Promise<(string | ProcessIdentity)[]> {
  const folders = (await readdir(state)).filter((name) => name.startsWith('test-'));
  const alive = await Promise.all(processes.map(isAlive));
  return [...folders, ...processes.filter((_, index) => alive[index])];
}

const REPORT = `console.log(JSON.stringify({ version: process.version, arguments: process.argv.slice(2),
  redis: process.env.REDIS_URL, mongodb: process.env.MONGODB_URL, seal: process.env.MILLRACE_SEAL_KEY }));`;

describe.skipIf(!canStart)('with-setup', () => {
  it('runs the script on Node 24 with stores, keys and arguments, and gives its exit code', async () => {
    await using state = await temporaryFolder();
    const { exited, firstLine } = await startRun(state.path, `${REPORT} process.exitCode = 7;`);
    const told = JSON.parse(await firstLine);
    expect(told).toMatchObject({
      version: expect.stringMatching(/^v24\./),
      arguments: ['one', 'two'],
      redis: expect.stringMatching(/^redis:\/\/127\.0\.0\.1:\d+$/),
      mongodb: expect.stringMatching(/^mongodb:\/\/127\.0\.0\.1:\d+$/),
      seal: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(await exited).toEqual([7, null]);
    expect(await readdir(state.path)).toEqual(['script.mjs']);
  });

  it('stops its stores and removes their data when it is interrupted', async () => {
    await using state = await temporaryFolder();
    const run = await startRun(
      state.path,
      "process.on('SIGINT', () => process.exit(9)); setInterval(() => {}, 1000); console.log('up');",
    );
    expect(await run.firstLine).toBe('up');
    const processes = await processesOf(state.path);
    run.child.kill('SIGINT');
    expect(await run.exited).toEqual([9, null]);
    expect(processes.length).toBeGreaterThanOrEqual(2);
    expect(await leftOver(state.path, processes)).toEqual([]);
  });

  it('clears up after a run that was killed', async () => {
    await using state = await temporaryFolder();
    const killed = await startRun(state.path, 'setTimeout(() => {}, 60_000); console.log(process.pid);');
    const scriptPid = Number(await killed.firstLine);
    const processes = await processesOf(state.path);
    killed.child.kill('SIGKILL');
    await killed.exited;
    process.kill(scriptPid, 'SIGKILL');
    const next = await startRun(state.path, REPORT);
    await next.exited;
    expect(processes.length).toBeGreaterThanOrEqual(2);
    expect(await leftOver(state.path, processes)).toEqual([]);
  });

  it('uses the stores that are given instead of starting any', async () => {
    await using state = await temporaryFolder();
    const outer = await startRun(
      state.path,
      'setInterval(() => {}, 1000); console.log([process.env.REDIS_URL, process.env.MONGODB_URL]);',
    );
    const given = JSON.parse((await outer.firstLine).replaceAll("'", '"'));
    await using inner = await temporaryFolder();
    const run = await startRun(inner.path, REPORT, { REDIS_URL: given[0], MONGODB_URL: given[1] });
    expect(JSON.parse(await run.firstLine)).toMatchObject({ redis: given[0], mongodb: given[1] });
    await run.exited;
    outer.child.kill('SIGTERM');
    await outer.exited;
  });
});
