/** Owns what tests of the gateway stand on: a real store and Redis, keys of every scope, a raw worker, a published release. */
import { Worker } from 'bullmq';
import type { FastifyInstance, InjectOptions } from 'fastify';
import type { Redis } from 'ioredis';
import type { KeyScope } from '../../shared/store/ports.ts';
import { type TestServices, testServices } from '../../test/services.ts';
import type { JobKind } from '../registry.ts';
import { buildGateway, type GatewayOptions } from './build.ts';

export const ALL_SCOPES: readonly KeyScope[] = [
  'events:write',
  'claims:write',
  'jobs:write',
  'jobs:read',
  'jobs:redrive',
  'recommendations:read',
  'segments:read',
  'webhooks:write',
  'releases:read',
  'releases:write',
];

export interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
  readonly headers: Readonly<Record<string, unknown>>;
}

export interface GatewayFixture extends AsyncDisposable {
  readonly services: TestServices;
  readonly app: FastifyInstance;
  /** A key of the tenant `main` with every scope. */
  readonly secret: string;
  key(scopes: readonly KeyScope[], tenant?: string): Promise<string>;
  /** Asks with the key of all scopes, or with another one; `null`: with none. */
  ask(options: InjectOptions, secret?: string | null): Promise<Answer>;
  post(url: string, payload: object, secret?: string | null): Promise<Answer>;
  get(url: string, secret?: string | null): Promise<Answer>;
  /** A worker that answers jobs of a kind with what `work` returns or throws. */
  worker(kind: JobKind, work: () => unknown): Worker;
}

export async function gatewayFixture(options: Partial<GatewayOptions> = {}): Promise<GatewayFixture> {
  await using stack = new AsyncDisposableStack();
  const services = stack.use(await testServices());
  const { store, config, redis, prefix } = services;
  const app = await buildGateway({ store, config, ...options });
  stack.defer(() => app.close());
  const key: GatewayFixture['key'] = async (scopes, tenant = 'main') =>
    (await store.apiKeys.create(tenant, 'test', scopes)).secret;
  const secret = await key(ALL_SCOPES);

  const ask: GatewayFixture['ask'] = async (request, by = secret) => {
    const authorization = by === null ? {} : { authorization: `Bearer ${by}` };
    const answer = await app.inject({ ...request, headers: { ...authorization, ...request.headers } });
    return { status: answer.statusCode, body: answer.json(), headers: answer.headers };
  };
  const owned = stack.move();
  return {
    services,
    app,
    secret,
    key,
    ask,
    post: (url, payload, by) => ask({ method: 'POST', url, payload }, by),
    get: (url, by) => ask({ method: 'GET', url }, by),
    worker: (kind, work) => {
      const connection: Redis = redis.duplicate();
      const made = new Worker(kind, async () => work(), { connection, prefix });
      made.on('error', () => {});
      owned.defer(async () => {
        await made.close(true);
        connection.disconnect();
      });
      return made;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
