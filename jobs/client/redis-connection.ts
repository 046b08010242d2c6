/**
 * Owns a producer's connection to Redis: it waits for the first connect and fails fast afterwards, so that a service never
 * queues jobs in its own memory while Redis is away. Every connection fault becomes SERVICE_UNAVAILABLE with host and port, and
 * without credentials.
 */
import { Redis } from 'ioredis';
import { REDIS_TLS_SETTINGS, redisTls, tlsFailure, type TlsTrust } from '../../shared/contract-kit/tls.ts';
import { AppError } from '../../shared/errors.ts';

const CONNECT_TIMEOUT_MS = 5_000;
/** A connection that answers nothing for so long, with commands under way, is dropped (a half-open network path). */
const SILENCE_MS_MAX = 15_000;
const RECONNECT_MS_MAX = 2_000;

export class RedisConnection {
  readonly redis: Redis;
  /** host:port, for people. */
  readonly address: string;
  #first: Promise<void> | undefined;
  #lastError: Error | undefined;
  #closed = false;
  #wasReady = false;
  readonly #byTls: boolean;

  constructor(url: string, tls?: TlsTrust) {
    const { hostname, port } = parseRedisUrl(url);
    this.#byTls = url.startsWith('rediss:');
    this.address = `${hostname}:${port || '6379'}`;
    this.redis = new Redis(url, {
      ...redisTls(url, tls),
      lazyConnect: true,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      connectTimeout: CONNECT_TIMEOUT_MS,
      socketTimeout: SILENCE_MS_MAX,
      retryStrategy: (attempt) => Math.min(50 * 2 ** Math.min(attempt, 10), RECONNECT_MS_MAX),
    });
    this.redis.on('error', (error: Error) => {
      this.#lastError = error;
    });
    this.redis.on('ready', () => {
      this.#wasReady = true;
      this.#lastError = undefined;
    });
  }

  /** The connected client; throws SERVICE_UNAVAILABLE. */
  async ready(): Promise<Redis> {
    if (this.#isReady()) return this.redis;
    if (this.#closed) throw this.unavailable(new Error('the client is closed'));
    try {
      this.#first ??= this.redis.connect();
      await this.#first;
    } catch (error) {
      if (!this.#isReady()) throw this.unavailable(error);
    }
    if (!this.#isReady()) throw this.unavailable(this.#lastError);
    return this.redis;
  }

  /** Runs commands; what goes wrong on the way to Redis, or in it, becomes SERVICE_UNAVAILABLE. */
  async run<T>(commands: (redis: Redis) => Promise<T>): Promise<T> {
    const redis = await this.ready();
    try {
      return await commands(redis);
    } catch (error) {
      throw this.translate(error);
    }
  }

  #isReady(): boolean {
    return this.redis.status === 'ready';
  }

  translate(error: unknown): unknown {
    if (error instanceof AppError || !(error instanceof Error)) return error;
    return isRedisFault(error) || !this.#isReady() ? this.unavailable(error) : error;
  }

  unavailable(cause: unknown): AppError {
    const shown = this.#lastError ?? cause;
    const distrusted = tlsFailure(shown, {
      service: 'Redis',
      address: this.address,
      settings: REDIS_TLS_SETTINGS,
      atFirst: this.#byTls && !this.#wasReady,
    });
    if (distrusted !== undefined) return distrusted;
    const reason = shown instanceof Error && shown.message !== '' ? ` (${shown.message})` : '';
    return new AppError('SERVICE_UNAVAILABLE', {
      message: `Redis at ${this.address} does not answer${reason}.`,
      details: { service: 'redis', address: this.address },
      cause,
    });
  }

  /** A connection of its own for blocking reads or subscriptions; it waits out failures. The caller ends it. */
  dedicated(): Redis {
    const connection = this.redis.duplicate({
      enableOfflineQueue: true,
      maxRetriesPerRequest: null,
      lazyConnect: false,
      // Blocking reads are silent by nature.
      socketTimeout: undefined,
    });
    connection.on('error', () => {});
    return connection;
  }

  close(): void {
    this.#closed = true;
    this.redis.disconnect();
  }
}

function parseRedisUrl(url: string): URL {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !/^rediss?:$/.test(parsed.protocol))
    throw new AppError('CONFIG_INVALID', {
      message: 'connect({ redis }) needs a redis:// or rediss:// address.',
      details: { problems: ['redis'] },
    });
  return parsed;
}

const FAULT_NAMES = new Set(['MaxRetriesPerRequestError', 'ReplyError', 'AbortError', 'ConnectionClosedError']);

const isRedisFault = (error: Error): boolean =>
  FAULT_NAMES.has(error.name) ||
  /Stream isn't writeable|Connection is closed|Socket timeout|Command timed out/.test(error.message) ||
  ('syscall' in error && typeof error.syscall === 'string');
