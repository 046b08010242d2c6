/** Owns connecting a service to Millrace. */
import { DEFAULT_PREFIX, DEFAULT_TENANT, tenantSchema } from '../../shared/contract-kit/names.ts';
import { sealRing } from '../../shared/contract-kit/seal.ts';
import type { TlsTrust } from '../../shared/contract-kit/tls.ts';
import { AppError } from '../../shared/errors.ts';
import { type GatewayAddress, GatewayClient } from './gateway-client.ts';
import { buildMillrace, type Millrace } from './millrace.ts';
import { RedisTransport } from './redis-transport.ts';

export interface ConnectOptions {
  /** redis:// or rediss:// address. */
  readonly redis: string | undefined;
  /** PEM texts for `rediss://`: an authority of your own, and a certificate with its key where Redis asks for one. Certificates are always checked. */
  readonly tls?: TlsTrust | undefined;
  /** 64 hex digits (several, comma-separated: the first one seals); needed for kinds with personal input, like ingestion. */
  readonly seal?: string | undefined;
  /** Default: `main`. */
  readonly tenant?: string | undefined;
  /** Prefix of every Redis key; default: `millrace`. */
  readonly prefix?: string | undefined;
  /** Needed for reads and for inputs above 64 KiB. */
  readonly gateway?: GatewayAddress | undefined;
  /**
   * Gives the W3C traceparent of what is being done, asked with each enqueue: the workers' spans then belong to that trace. With OpenTelemetry:
   * `() => { const carrier = {}; propagation.inject(context.active(), carrier); return carrier.traceparent; }`.
   */
  readonly trace?: (() => string | undefined) | undefined;
}

/**
 * Makes a client. It connects with the first call that needs Redis, and is closed by `await using` or `close()`.
 * Throws CONFIG_INVALID that names every wrong option.
 */
export function connect(options: ConnectOptions): Millrace {
  const { redis, tls, seal, tenant = DEFAULT_TENANT, prefix = DEFAULT_PREFIX, gateway, trace } = options;
  if (redis === undefined || redis === '')
    throw new AppError('CONFIG_INVALID', {
      message: 'connect({ redis }) needs the address of Redis, such as process.env.REDIS_URL.',
      details: { problems: ['redis'] },
    });
  if (!tenantSchema.safeParse(tenant).success)
    throw new AppError('CONFIG_INVALID', {
      message: `connect({ tenant }) takes lower-case letters, digits and dashes, not "${tenant}".`,
      details: { problems: ['tenant'] },
    });
  const ring = seal === undefined || seal === '' ? undefined : sealRing(seal);
  return buildMillrace({
    tenant,
    ring,
    gateway: gateway === undefined ? undefined : new GatewayClient(gateway),
    transport: new RedisTransport({ url: redis, tls, prefix, tenant }),
    nowMs: Date.now,
    trace,
  });
}
