/** `millrace up` as a person runs it: filled, kept alive, stopped; started again; a port that is taken. */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { asUser, PROJECT_DIR, type User, TIMEOUT_MS } from './as-a-user.ts';

const SIZE = ['--people', '60', '--videos', '120', '--events', '3000'];
const CLI = 'jobs/cli/bin.mjs';

/** A port that is held until the end of the scope. */
async function heldPort(): Promise<{ port: number } & AsyncDisposable> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    port: address.port,
    [Symbol.asyncDispose]: async () => {
      server.close();
      await once(server, 'close');
    },
  };
}

async function freePorts(): Promise<{ MILLRACE_GATEWAY_PORT: string; MILLRACE_DASHBOARD_PORT: string }> {
  await using first = await heldPort();
  await using second = await heldPort();
  return { MILLRACE_GATEWAY_PORT: String(first.port), MILLRACE_DASHBOARD_PORT: String(second.port) };
}

/** Process ids of the children of a process, by script. */
async function childrenOf(pid: number): Promise<Map<string, number>> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  const found = new Map<string, number>();
  for (const child of text.trim().split(' ').filter(Boolean).map(Number)) {
    const script = (await readFile(`/proc/${child}/cmdline`, 'utf8')).split('\0')[1] ?? '';
    found.set(script.replace(`${PROJECT_DIR}/`, ''), child);
  }
  return found;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

const eventsOf = ({ services }: User): Promise<number> => services.store.events.count('main');

describe('up', { timeout: TIMEOUT_MS }, () => {
  test('fills an empty store, shows where to look, starts a killed worker again, and Ctrl-C ends it all and nothing else', async () => {
    await using user = await asUser();
    const ports = await freePorts();
    const bystander = user.start('jobs/gateway/main.ts');
    await bystander.line(/^\{"ready"/);
    const up = user.start(CLI, ['up', ...SIZE], ports);
    expect(await up.line(/simulated/)).toContain('60 people, 120 videos');
    expect(await up.line(/For .+, from release/)).toMatch(/For \S/);
    expect(await up.line(/^ +1 {2}\S/)).toMatch(/\(.+\)$/);
    const dashboard = await up.line(/Dashboard/);
    expect(dashboard).toContain(`http://127.0.0.1:${ports.MILLRACE_DASHBOARD_PORT}`);
    const password = /initial password (\S+)/.exec(dashboard)?.[1];
    expect(password?.length).toBeGreaterThanOrEqual(12);
    await up.line(/Ctrl-C stops everything/);
    expect(await eventsOf(user)).toBeGreaterThan(2_000);
    expect((await fetch(`http://127.0.0.1:${ports.MILLRACE_DASHBOARD_PORT}/login`)).status).toBe(200);
    expect((await fetch(`http://127.0.0.1:${ports.MILLRACE_GATEWAY_PORT}/v1/recommendations/x`)).status).toBe(401);

    const children = await childrenOf(up.child.pid!);
    expect([...children.keys()].sort()).toEqual(['dashboard/main.ts', 'jobs/gateway/main.ts', 'workers/main.ts']);
    process.kill(children.get('workers/main.ts')!, 'SIGKILL');
    expect(await up.line(/worker ended by itself \(SIGKILL\)/)).toContain('It is started again');
    // Only a worker that is at work again can do this.
    const input = '{"source":"web","items":[{"id":"film-1","title":"One"}]}';
    expect(await user.json('enqueue', 'ingestion', '--input', input, '--wait')).toMatchObject({ accepted: 1 });
    const again = await childrenOf(up.child.pid!);
    expect(again.get('workers/main.ts')).not.toBe(children.get('workers/main.ts'));

    up.child.kill('SIGINT');
    expect(await up.ended).toMatchObject({ code: 0, stderr: expect.not.stringContaining('INTERNAL') });
    expect([...again.values()].filter(isAlive)).toEqual([]);
    expect(isAlive(bystander.child.pid!)).toBe(true);
  });

  test('loads nothing on a filled store, and names the account instead of a password', async () => {
    await using user = await asUser();
    const ports = await freePorts();
    const first = user.start(CLI, ['up', ...SIZE], ports);
    // Stopped in the middle of the load: nothing is published yet.
    await first.line(/simulated platform +\d+ %/);
    first.child.kill('SIGINT');
    expect(await first.ended).toMatchObject({ code: 130, stderr: expect.stringContaining('CANCELLED') });
    const second = user.start(CLI, ['up'], ports);
    expect(await second.line(/simulated/)).toContain('60 people, 120 videos');
    await second.line(/Ctrl-C stops everything/);
    const [events, releases] = [await eventsOf(user), await user.services.store.releases.history('main', 10)];
    expect(releases).toHaveLength(1);
    second.child.kill('SIGTERM');
    expect(await second.ended).toMatchObject({ code: 0 });

    const third = user.start(CLI, ['up'], ports);
    expect(await third.line(/published/)).toContain(releases[0]!.version);
    expect(await third.line(/Dashboard/)).toContain('password as set');
    await third.line(/Ctrl-C stops everything/);
    third.child.kill('SIGINT');
    const { code, stdout } = await third.ended;
    expect(code).toBe(0);
    expect(stdout).not.toMatch(/simulated|refresh +\d/);
    expect(await eventsOf(user)).toBe(events);
    expect(await user.services.store.releases.history('main', 10)).toEqual(releases);
  });

  test.each([
    ['gateway', 'MILLRACE_GATEWAY_PORT'],
    ['dashboard', 'MILLRACE_DASHBOARD_PORT'],
  ])('names the port of the %s that is taken, and its way out, and leaves nothing behind', async (name, variable) => {
    await using user = await asUser();
    await using held = await heldPort();
    const up = user.start(CLI, ['up', '--no-load'], { ...(await freePorts()), [variable]: String(held.port) });
    const { code, stderr } = await up.ended;
    expect(code).toBe(4);
    expect(stderr).toMatch(
      new RegExp(`^PORT_BUSY: The ${name} cannot listen on 127.0.0.1:${held.port}.*Set ${variable}`),
    );
    expect(await readFile(join(user.folder, 'logs', `${name}.log`), 'utf8')).toContain('PORT_BUSY');
    expect(await eventsOf(user)).toBe(0);
  });
});
