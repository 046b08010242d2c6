import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtempDisposable, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { ALLOCATOR_ENV } from '../shared/compute/allocator.ts';
import { readConfig } from '../shared/config.ts';
import { bundledNode, projectRoot } from './local/paths.mjs';
import { freePort } from './local/ports.mjs';
import { ensureKeysIn } from './local/state.mjs';

interface ComposeService {
  readonly image: string;
  readonly command: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly secrets?: readonly string[];
  readonly ports?: readonly string[];
  readonly networks: readonly string[];
  readonly read_only?: boolean;
  readonly user?: string;
  readonly healthcheck?: { readonly test: readonly string[] };
}
interface Compose {
  readonly name: string;
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
}

const readText = (path: string) => readFile(join(projectRoot, 'docker', path), 'utf8');
const compose = parse(await readText('compose.yaml'), { merge: true }) as Compose;
const OURS = ['worker', 'gateway', 'dashboard'] as const;
const serviceOf = (name: string): ComposeService => {
  const found = compose.services[name];
  if (!found) throw new Error(`compose.yaml has no ${name}`);
  return found;
};

it('is valid by the Compose Specification', async () => {
  // Its formats (ports, durations) are Docker's own and unknown to ajv.
  const ajv = new Ajv2019({ strict: false, validateFormats: false, allErrors: true });
  // The file writes the name of its draft with a fragment, and ids as draft 4 did: both mean nothing here.
  const { $schema: _draft, ...schema } = JSON.parse(await readText('schema/compose-spec.json'), (key, value) =>
    key === 'id' && typeof value === 'string' ? undefined : value,
  );
  const validate = ajv.compile(schema);
  // `name` came with a later revision than this schema.
  const { name, ...rest } = compose;
  expect(name).toMatch(/^[a-z0-9][a-z0-9_-]*$/);
  validate(rest);
  expect(validate.errors).toBeNull();
  expect(validate({ ...rest, services: { worker: { comand: [] } } })).toBe(false);
});

it('runs everything without root on a read-only file system and publishes on loopback only', () => {
  for (const [name, service] of Object.entries(compose.services)) {
    expect({ name, ...service }).toMatchObject({ read_only: true, user: expect.stringMatching(/^(?!0|root)/) });
    expect(service.healthcheck?.test[0]).toBe('CMD');
    for (const port of service.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:/);
  }
  for (const store of ['redis', 'mongodb']) {
    expect(serviceOf(store).ports).toBeUndefined();
    expect(serviceOf(store).networks).toEqual(['stores']);
  }
  expect(serviceOf('redis').command.join(' ')).toContain('--appendonly yes');
  expect(serviceOf('redis').command.join(' ')).toContain('--maxmemory-policy noeviction');
});

it('names commands that exist and are in the image, and keys only through files', async () => {
  const dockerfile = await readText('Dockerfile');
  for (const [name, value] of Object.entries(ALLOCATOR_ENV)) expect(dockerfile).toContain(`${name}=${value}`);
  for (const name of OURS) {
    const { command, environment = {}, secrets = [], healthcheck } = serviceOf(name);
    for (const script of [command[1] ?? '', healthcheck?.test[2] ?? '']) {
      expect({ script, exists: existsSync(join(projectRoot, script)) }).toEqual({ script, exists: true });
      expect(dockerfile).toMatch(new RegExp(`^COPY ${script.split('/')[0]}`, 'm'));
    }
    for (const key of ['MASTER', 'TENANT', 'SEAL']) {
      const secret = environment[`MILLRACE_${key}_KEY_FILE`]?.replace('/run/secrets/', '') ?? '';
      expect(secrets).toContain(secret);
      expect(compose.secrets[secret]?.file).toMatch(new RegExp(`/${key.toLowerCase()}\\.key$`));
      expect(environment).not.toHaveProperty(`MILLRACE_${key}_KEY`);
    }
  }
});

async function untilSaid(child: ChildProcess, word: RegExp): Promise<void> {
  const said: string[] = [];
  await new Promise<void>((resolve, reject) => {
    const listen = (line: string) => {
      said.push(line);
      if (word.test(line)) resolve();
    };
    for (const stream of [child.stdout, child.stderr]) {
      if (stream) createInterface({ input: stream }).on('line', listen);
    }
    child.once('exit', (code) => reject(new Error(`ended with ${code}:\n${said.join('\n')}`)));
  });
}

const { REDIS_URL, MONGODB_URL } = process.env;
const READY = { worker: /worker ready/, gateway: /"ready":"gateway"/, dashboard: /"ready":"dashboard"/ } as const;

describe.skipIf(!REDIS_URL || !MONGODB_URL)('the same commands with the same environment', () => {
  it.each(OURS)('start the %s, which its health check then finds alive, and end on SIGTERM', async (name) => {
    await using folder = await mkdtempDisposable(join(tmpdir(), 'millrace-compose-'));
    ensureKeysIn(folder.path);
    const port = String(await freePort());
    const unique = `compose-${name}-${process.pid}`;
    // As in compose.yaml, but for what a container has to itself: addresses, ports, folders, a database.
    const environment: Record<string, string> = {
      ...serviceOf(name).environment,
      REDIS_URL: REDIS_URL ?? '',
      MONGODB_URL: MONGODB_URL ?? '',
      MILLRACE_STATE: join(folder.path, 'state'),
      MILLRACE_HOST: '127.0.0.1',
      MILLRACE_GATEWAY_PORT: port,
      MILLRACE_DASHBOARD_PORT: port,
      MILLRACE_HEALTH_PORT: String(await freePort()),
      MILLRACE_DATABASE: unique,
      MILLRACE_PREFIX: unique,
    };
    for (const key of ['MASTER', 'TENANT', 'SEAL']) {
      environment[`MILLRACE_${key}_KEY_FILE`] = join(folder.path, `${key.toLowerCase()}.key`);
    }
    expect(readConfig(environment).prefix).toBe(unique);

    const { PATH = '', HOME = '' } = process.env;
    const env = { PATH, HOME, ...environment };
    const { command, healthcheck } = serviceOf(name);
    const child = spawn(bundledNode, command.slice(1), { cwd: projectRoot, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const exited = once(child, 'exit');
    await untilSaid(child, READY[name]);
    await promisify(execFile)(bundledNode, healthcheck?.test.slice(2) ?? [], { cwd: projectRoot, env });
    child.kill('SIGTERM');
    expect(await exited).toEqual([0, null]);
  });
});
