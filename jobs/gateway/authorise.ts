/** Owns who may ask what: the API key of a request, its tenant and scopes, and how fast it may ask. */
import { createHash } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { AppError } from '../../shared/errors.ts';
import { may, permissionsOf } from '../../shared/governance/roles.ts';
import type { ApiKey, ApiKeys, KeyScope, PersonTokens } from '../../shared/store/ports.ts';
import type { JobKind } from '../registry.ts';
import { permitKind } from './job-classes.ts';
import { personOf } from './me.ts';

declare module 'fastify' {
  interface FastifyRequest {
    apiKey: ApiKey | null;
  }
  interface FastifyContextConfig {
    /** Scope that the route needs; absent: the route is open to everybody. */
    scope?: KeyScope;
    /** Kind of jobs that the route has to do with, where that matters for who may ask. */
    kind?: JobKind;
    /** Pages cannot keep a secret: their key, which may do nothing else, is in the address (`?k=`). */
    keyInQuery?: boolean;
  }
}

/** A key is looked up again after this long: the longest that a revoked key still works. */
const KEY_CACHE_MS = 5_000;
const KEY_CACHE_MAX = 1_000;
/** Wrong keys that one address may try in a minute. */
const FAILURES_PER_MINUTE_MAX = 60;
/** Requests with one token of a person in a minute. */
const PERSON_PER_MINUTE_MAX = 120;
const SECRET_LENGTH_MAX = 200;
const WINDOW_MS = 60_000;

/** Found keys by the hash of their secret, so that a request costs no round trip to the store. */
class KeyCache {
  readonly #keys: ApiKeys;
  readonly #now: () => number;
  readonly #found = new Map<string, { readonly key: ApiKey; readonly at: number }>();

  constructor(keys: ApiKeys, now: () => number) {
    this.#keys = keys;
    this.#now = now;
  }

  async find(secret: string): Promise<ApiKey | undefined> {
    const digest = createHash('sha256').update(secret).digest('base64');
    const cached = this.#found.get(digest);
    if (cached !== undefined && this.#now() - cached.at < KEY_CACHE_MS) return cached.key;
    this.#found.delete(digest);
    const key = await this.#keys.find(secret);
    if (key === undefined || key.revokedAt !== undefined) return undefined;
    if (this.#found.size >= KEY_CACHE_MAX) this.#found.clear();
    this.#found.set(digest, { key, at: this.#now() });
    return key;
  }
}

function secretOf(request: FastifyRequest): string | undefined {
  if (request.routeOptions.config.keyInQuery === true) {
    const { k } = request.query as { k?: unknown };
    return typeof k === 'string' && k.length <= SECRET_LENGTH_MAX ? k : undefined;
  }
  const [, secret] = /^Bearer ([\x21-\x7e]+)$/i.exec(request.headers.authorization ?? '') ?? [];
  return secret !== undefined && secret.length <= SECRET_LENGTH_MAX ? secret : undefined;
}

/** Throws AUTH_KEY_EXPIRED, AUTH_SCOPE_MISSING, AUTH_ROLE_MISSING. */
function permitKey(key: ApiKey, scope: KeyScope, kind: JobKind | undefined): void {
  if (!may(key, scope))
    throw new AppError('AUTH_SCOPE_MISSING', {
      message: `The API key "${key.name}" does not have the scope ${scope}.`,
      details: { needed: scope, scopes: permissionsOf(key) },
    });
  if (kind !== undefined) permitKind(key, kind);
}

/** The key of an authorised request. */
export function keyOf({ apiKey }: FastifyRequest): ApiKey {
  if (apiKey === null) throw new AppError('AUTH_KEY_INVALID');
  return apiKey;
}

/** The tenant of an authorised request. */
export function tenantOf(request: FastifyRequest): string {
  return request.person?.tenant ?? keyOf(request).tenant;
}

export interface AuthoriseOptions {
  readonly keys: ApiKeys;
  readonly tokens: PersonTokens;
  readonly now: () => number;
  /** Requests that one key may send in a minute to this process. */
  readonly requestsPerMinuteMax: number;
}

/** Adds the hook that runs before a body is read. Needs @fastify/rate-limit registered. */
export function registerAuthorisation(app: FastifyInstance, options: AuthoriseOptions): void {
  const cache = new KeyCache(options.keys, options.now);
  const failures = app.createRateLimit({
    max: FAILURES_PER_MINUTE_MAX,
    timeWindow: WINDOW_MS,
    keyGenerator: (request: FastifyRequest) => `address:${request.ip}`,
  });
  const requests = app.createRateLimit({
    max: options.requestsPerMinuteMax,
    timeWindow: WINDOW_MS,
    keyGenerator: (request: FastifyRequest) => `key:${request.apiKey?.id ?? ''}`,
  });
  const ofPeople = app.createRateLimit({
    max: PERSON_PER_MINUTE_MAX,
    timeWindow: WINDOW_MS,
    keyGenerator: (request: FastifyRequest) => `token:${request.person?.id ?? ''}`,
  });
  const within = async (limit: typeof requests, request: FastifyRequest): Promise<void> => {
    const answer = await limit(request);
    if (!answer.isAllowed && answer.isExceeded)
      throw new AppError('LIMIT_RATE', { details: { retryAfterSeconds: answer.ttlInSeconds, max: answer.max } });
  };

  app.decorateRequest('apiKey', null);
  app.addHook('onRequest', async (request: FastifyRequest, _reply: FastifyReply) => {
    const { scope, kind, person } = request.routeOptions.config;
    if (person !== undefined) {
      request.person = await personOf(request, person, options.tokens).catch(async (thrown: unknown) => {
        await within(failures, request);
        throw thrown;
      });
      await within(ofPeople, request);
      return;
    }
    if (scope === undefined) return;
    const secret = secretOf(request);
    const key = secret === undefined ? undefined : await cache.find(secret);
    if (key === undefined) {
      await within(failures, request);
      throw new AppError('AUTH_KEY_INVALID');
    }
    request.apiKey = key;
    if (key.expiresAt !== undefined && key.expiresAt <= options.now())
      throw new AppError('AUTH_KEY_EXPIRED', { details: { expiredAt: key.expiresAt } });
    permitKey(key, scope, kind);
    await within(requests, request);
  });
}
