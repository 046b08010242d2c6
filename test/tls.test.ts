/** TLS to the stores and from the servers, with certificates made here: what is trusted works, and what is not says why and what to do. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { connect as connectTls, type TlsOptions, type TLSSocket } from 'node:tls';
import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildDashboard } from '../dashboard/build.ts';
import { freePort } from '../docker/local/ports.mjs';
import { findOnPath } from '../docker/local/processes.mjs';
import { connect } from '../jobs/client/index.ts';
import { RedisConnection } from '../jobs/client/redis-connection.ts';
import { buildGateway } from '../jobs/gateway/build.ts';
import type { TlsTrust } from '../shared/contract-kit/tls.ts';
import { AppError } from '../shared/errors.ts';
import { renewCertificate } from '../shared/http/certificate.ts';
import { openStore } from '../shared/store/mongo/open.ts';
import { openRedis } from '../workers/runtime/host.ts';
import { authority } from './certificates.ts';
import { mongodbUrl, redisUrl, TEST_KEYS, type TestServices, testServices } from './services.ts';
import { plainFront, tlsFront } from './tls-front.ts';

const DAY_MS = 86_400_000;
const ours = authority('an authority of ours');
const strange = authority('an authority of nobody');
const good = ours.issue();
const trust: TlsTrust = { ca: ours.cert };

let services: TestServices;
beforeAll(async () => {
  services = await testServices();
});
afterAll(() => services[Symbol.asyncDispose]());

async function failureOf(work: Promise<unknown>): Promise<AppError> {
  const thrown: unknown = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(thrown instanceof AppError)) throw new Error('an AppError was expected', { cause: thrown });
  return thrown;
}

/** Both stores, each as its own code connects. */
const STORES = [
  {
    name: 'Redis',
    behind: redisUrl,
    open: async (port: number, tls?: TlsTrust): Promise<void> => {
      const redis = await openRedis(`rediss://127.0.0.1:${port}`, tls);
      expect(await redis.ping()).toBe('PONG');
      redis.disconnect();
    },
  },
  {
    name: 'the store',
    behind: mongodbUrl,
    open: async (port: number, tls?: TlsTrust): Promise<void> => {
      const { masterKey, tenantKey } = TEST_KEYS;
      const url = `mongodb://127.0.0.1:${port}/?tls=true&directConnection=true`;
      const rest = { database: services.database, masterKey, tenantKey, serverSelectionTimeoutMs: 3_000 };
      await using store = await openStore({ url, tls, ...rest });
      expect((await store.ping()).ms).toBeGreaterThan(0);
    },
  },
] as const;

const REFUSALS: readonly (readonly [string, TlsOptions, TlsTrust | undefined, RegExp])[] = [
  [
    'nobody who is trusted signed for',
    { ...strange.issue() },
    trust,
    /nobody who is trusted .* \(MILLRACE_\w+_CA_FILE/,
  ],
  ['of an authority that was not named', { ...good }, undefined, /nobody who is trusted/],
  [
    'that has expired',
    { ...ours.issue({ until: Date.now() - DAY_MS, from: Date.now() - 2 * DAY_MS }) },
    trust,
    /has expired.*renew/,
  ],
  [
    'that is not valid yet',
    { ...ours.issue({ from: Date.now() + DAY_MS, until: Date.now() + 2 * DAY_MS }) },
    trust,
    /not valid yet/,
  ],
  ['for another name', { ...ours.issue({ names: ['elsewhere.example'] }) }, trust, /for another name/],
  [
    'by an old version alone',
    { ...good, minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' },
    trust,
    /no version from TLSv1\.2 on/,
  ],
  [
    'and asks for one that it is not shown',
    { ...good, ca: ours.cert, requestCert: true },
    trust,
    /certificate of this process/,
  ],
];

describe.each(STORES)('a connection to $name', ({ behind, open }) => {
  it('is made with an authority of its own, and shows its certificate where it is asked', async () => {
    await using front = await tlsFront(behind, { ...good, ca: ours.cert, requestCert: true, minVersion: 'TLSv1.2' });
    await expect(open(front.port, { ...trust, ...ours.issue({ names: ['worker'] }) })).resolves.toBeUndefined();
  });

  it.each(REFUSALS)(
    'is not made to a server with a certificate %s, and says so',
    async (_what, options, given, words) => {
      await using front = await tlsFront(behind, options);
      const error = await failureOf(open(front.port, given));
      expect(error.message).toMatch(words);
      expect([error.code, error.retry]).toEqual(['TLS_FAILED', 'backoff']);
      expect(error.message).toContain(`127.0.0.1:${front.port}`);
    },
  );

  it('is not made to a server that speaks plainly', async () => {
    await using front = await plainFront();
    const error = await failureOf(open(front.port, trust));
    expect(error.message).toMatch(/does not speak TLS on that port/);
  });
});

/** A Redis that speaks TLS itself, and takes only whom its authority signed; undefined where the program was built without TLS. */
async function redisByTls(
  folder: string,
): Promise<{ readonly port: number; readonly child: ChildProcess } | undefined> {
  const program = ['redis-server', 'valkey-server']
    .map((name) => findOnPath(name))
    .find((found) => found !== undefined);
  if (program === undefined) return undefined;
  for (const [name, text] of Object.entries({ ca: ours.cert, cert: good.cert, key: good.key }))
    await writeFile(join(folder, name), text);
  const port = await freePort();
  const at = (name: string): string => join(folder, name);
  const files = ['--tls-cert-file', at('cert'), '--tls-key-file', at('key'), '--tls-ca-cert-file', at('ca')];
  const args = ['--port', '0', '--tls-port', String(port), '--bind', '127.0.0.1', '--save', '', ...files];
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.includes('Ready to accept connections')) return { port, child };
  }
  return undefined;
}

it('a Redis that speaks TLS takes who is signed for, and tells others why not', async ({ skip }) => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'millrace-tls-redis-'));
  const redis = await redisByTls(folder.path);
  if (redis === undefined) {
    skip('no redis-server with TLS is on PATH');
    return;
  }
  try {
    const open = async (tls: TlsTrust): Promise<void> => {
      const connection = await openRedis(`rediss://127.0.0.1:${redis.port}`, tls);
      expect(await connection.ping()).toBe('PONG');
      connection.disconnect();
    };
    await open({ ...trust, ...ours.issue({ names: ['worker'] }) });
    for (const tls of [trust, { ...trust, ...strange.issue() }]) {
      const error = await failureOf(open(tls));
      expect([error.code, error.message]).toEqual(['TLS_FAILED', expect.stringMatching(/certificate of this process/)]);
    }
    expect((await failureOf(open({ ca: strange.cert }))).message).toMatch(/nobody who is trusted/);
  } finally {
    redis.child.kill('SIGKILL');
  }
});

describe('a client', () => {
  it('enqueues by TLS, and says why it does not', async () => {
    await using front = await tlsFront(redisUrl, good);
    const address = { redis: `rediss://127.0.0.1:${front.port}`, prefix: services.prefix };
    await using millrace = connect({ ...address, tls: trust });
    const job = await millrace.migration.enqueue({ format: 2 }, { key: 'by-tls' });
    expect(await services.redis.exists(`${services.prefix}:migration:${job.id}`)).toBe(1);
    await using wary = connect(address);
    expect((await failureOf(wary.migration.enqueue({ format: 2 }))).code).toBe('TLS_FAILED');
  });

  it('keeps its certificates on connections of its own for reading', async () => {
    await using front = await tlsFront(redisUrl, good);
    const connection = new RedisConnection(`rediss://127.0.0.1:${front.port}`, trust);
    const dedicated = connection.dedicated();
    expect(await dedicated.ping()).toBe('PONG');
    dedicated.disconnect();
    connection.close();
  });
});

function portOf(app: FastifyInstance): number {
  const [address] = app.addresses();
  if (typeof address !== 'object') throw new Error('it does not listen');
  return address.port;
}

/** What a caller sees who trusts our authority. */
async function asked(app: FastifyInstance, path: string) {
  const port = portOf(app);
  const request = get({ host: '127.0.0.1', port, path, ca: ours.cert, agent: false });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  response.resume();
  const socket = response.socket as TLSSocket;
  return { status: response.statusCode, headers: response.headers, serial: socket.getPeerCertificate().serialNumber };
}

describe('a server with a certificate', () => {
  const config = async (path: string) => {
    const https = { cert: join(path, 'cert.pem'), key: join(path, 'key.pem') };
    await writeFile(https.cert, good.cert);
    await writeFile(https.key, good.key);
    return { ...services.config, https };
  };
  const builders = {
    gateway: async (of: Awaited<ReturnType<typeof config>>) => buildGateway({ store: services.store, config: of }),
    dashboard: async (of: Awaited<ReturnType<typeof config>>) =>
      buildDashboard({ store: services.store, redis: services.redis, queues: [], config: of }),
  };

  it.each([
    ['gateway', '/v1/healthz'],
    ['dashboard', '/healthz'],
  ] as const)(
    'the %s speaks TLS from 1.2 on, tells browsers to come by TLS alone, and shows a renewed one',
    async (name, path) => {
      await using folder = await mkdtempDisposable(join(tmpdir(), 'millrace-tls-'));
      const of = await config(folder.path);
      const app = await builders[name](of);
      expect(await app.listen({ host: '127.0.0.1', port: 0 })).toMatch(/^https:/);
      const first = await asked(app, path);
      expect(first.status).toBe(200);
      expect(first.headers['strict-transport-security']).toBe('max-age=31536000');

      const port = portOf(app);
      const old = connectTls({
        port,
        host: '127.0.0.1',
        ca: ours.cert,
        maxVersion: 'TLSv1.1',
        minVersion: 'TLSv1',
        ciphers: 'DEFAULT@SECLEVEL=0',
      });
      await expect(once(old, 'secureConnect')).rejects.toThrow(/protocol|version|alert|disconnected/i);

      const next = ours.issue();
      await writeFile(of.https.cert, next.cert);
      expect(() => renewCertificate(app, of.https)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' })); // half of it
      expect((await asked(app, path)).serial).toBe(first.serial);
      await writeFile(of.https.key, next.key);
      renewCertificate(app, of.https);
      expect((await asked(app, path)).serial).not.toBe(first.serial);
      await app.close();
    },
  );

  it('the gateway without one speaks HTTP and promises nothing', async () => {
    const app = await buildGateway({ store: services.store, config: services.config });
    const { headers } = await app.inject('/v1/healthz');
    expect(headers['strict-transport-security']).toBeUndefined();
    await app.close();
  });
});
