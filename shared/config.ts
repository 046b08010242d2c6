/**
 * Owns the environment: parsed once per process, every problem listed together, secrets redacted, frozen.
 * A process that is started by hand finds the services of `npm start` through the state folder.
 */
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { DEFAULT_PREFIX, DEFAULT_TENANT, tenantSchema } from './contract-kit/names.ts';
import type { TlsTrust } from './contract-kit/tls.ts';
import { AppError } from './errors.ts';
import { findKeys, KEY_NAMES, type KeyName, type KeyProvider } from './key-source.ts';
import { type CertificateFiles, isTlsUrl, servedWith, trustOf } from './tls-files.ts';

export const PROJECT_DIR = resolve(dirname(fileURLToPath(import.meta.url)), '..');

const port = z.coerce.number().int().min(0).max(65_535);

const environmentSchema = z.object({
  REDIS_URL: z.url({ protocol: /^rediss?$/ }),
  MONGODB_URL: z.url({ protocol: /^mongodb(\+srv)?$/ }),
  MILLRACE_DATABASE: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,38}$/)
    .default('millrace'),
  MILLRACE_PREFIX: z
    .string()
    .regex(/^[A-Za-z0-9_{}-]{1,60}$/)
    .default(DEFAULT_PREFIX),
  MILLRACE_TENANT: tenantSchema.default(DEFAULT_TENANT),
  MILLRACE_HOST: z.string().min(1).default('127.0.0.1'),
  MILLRACE_GATEWAY_PORT: port.default(4401),
  MILLRACE_DASHBOARD_PORT: port.default(4400),
  MILLRACE_HEALTH_HOST: z.string().min(1).default('127.0.0.1'),
  MILLRACE_HEALTH_PORT: port.default(0),
  MILLRACE_HEALTH_WINDOW_MS: z.coerce.number().int().min(500).max(600_000).default(15_000),
  MILLRACE_STOP_MS: z.coerce.number().int().min(1_000).max(3_600_000).default(15_000),
  MILLRACE_KEEP_COMPLETED_HOURS: z.coerce.number().min(1).max(8_760).default(24),
  MILLRACE_KEEP_COMPLETED_MAX: z.coerce.number().int().min(0).max(10_000_000).default(10_000),
  MILLRACE_COLLECT: z.stringbool().default(true),
  MILLRACE_KEEP_RUNS_DAYS: z.coerce.number().min(8).max(3_650).default(14),
  MILLRACE_KEEP_RELEASES: z.coerce.number().int().min(1).max(10_000).default(10),
  MILLRACE_KEEP_EXPOSURES_DAYS: z.coerce.number().min(1).max(36_500).default(400),
  MILLRACE_KEEP_LINEAGE_DAYS: z.coerce.number().min(1).max(36_500).default(400),
  MILLRACE_KEEP_TRAIL_DAYS: z.coerce.number().min(30).max(36_500).default(1_095),
  MILLRACE_THREADS: z.coerce.number().int().min(1).max(64).optional(),
  MILLRACE_CHECKPOINT_EPOCHS: z.coerce.number().int().min(1).max(10_000).default(1),
  MILLRACE_CHECKPOINT_SECONDS: z.coerce.number().min(0).max(86_400).default(30),
  MILLRACE_CHECKPOINT_MB_MAX: z.coerce.number().int().min(0).max(65_536).default(1_024),
  MILLRACE_MODEL_HOURS_MAX: z.coerce.number().min(1).max(87_600).default(72),
  MILLRACE_TFJS_NATIVE: z.string().optional(),
  MILLRACE_LOG: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
  MILLRACE_OUTBOX: z
    .string()
    .regex(
      /^[A-Za-z0-9_-]+\.[A-Za-z0-9_.-]+(,[A-Za-z0-9_-]+\.[A-Za-z0-9_.-]+)*$/,
      'must be database.collection (several: comma-separated)',
    )
    .optional(),
  MILLRACE_OUTBOX_URL: z.url({ protocol: /^mongodb(\+srv)?$/ }).optional(),
  MILLRACE_WEBHOOK_PRIVATE: z.stringbool().default(false),
  MILLRACE_OPENLINEAGE_URL: z.url({ protocol: /^https?$/ }).optional(),
  MILLRACE_OPENLINEAGE_TOKEN: z
    .string()
    .regex(/^[\x21-\x7e]{1,4096}$/, 'must be printable characters without spaces')
    .optional(),
  MILLRACE_OPENLINEAGE_NAMESPACE: z
    .string()
    .regex(/^[A-Za-z0-9._/:-]{1,100}$/)
    .default('millrace'),
  MILLRACE_QUALITY: z.enum(['observe', 'hold']).default('hold'),
  MILLRACE_DEMO: z.stringbool().default(false),
});

/** When a training keeps what it could go on from. */
export interface CheckpointRules {
  /** After every so many epochs. */
  readonly everyEpochs: number;
  /** Not before so long after the last one, or after the start: a shorter training is faster begun again. */
  readonly everyMs: number;
  /** A larger state is not kept; 0 keeps none. */
  readonly bytesMax: number;
}

/** Where events of lineage are sent. */
export interface OpenLineageAddress {
  readonly url: string;
  /** Sent as bearer. */
  readonly token?: string;
}

export interface Config {
  readonly redisUrl: string;
  /** Certificates of connections to Redis and MongoDB, where their authorities are not the system's, or they ask for one. */
  readonly redisTls?: TlsTrust;
  readonly mongodbTls?: TlsTrust;
  readonly mongodbUrl: string;
  readonly database: string;
  readonly prefix: string;
  readonly tenant: string;
  /** 32 bytes each: the first one wraps, all of them unwrap. */
  readonly masterKeys: readonly Buffer[];
  readonly tenantKey: Buffer;
  /** 64 hex digits each, comma-separated: the first one seals, all of them open. */
  readonly sealKeys: string;
  /** Where each key was found. */
  readonly keyProviders: Readonly<Record<KeyName, KeyProvider>>;
  readonly host: string;
  /** Gateway and dashboard speak HTTPS with it; absent: HTTP. */
  readonly https?: CertificateFiles;
  readonly gatewayPort: number;
  readonly dashboardPort: number;
  /** Where /livez, /readyz, /startupz and /metrics are asked; port 0: a free one, named when the process is ready. */
  readonly healthHost: string;
  readonly healthPort: number;
  /** Silence of Redis or the store that long makes a process unhealthy. */
  readonly healthWindowMs: number;
  /** A process that is asked to stop has ended by then. */
  readonly stopMs: number;
  /** Finished jobs that Redis keeps: completed ones so long, and so many of a kind. Dead letters stay for the redrive window. */
  readonly keepCompletedMs: number;
  readonly keepCompletedMax: number;
  /** What nobody names any more, and what ended long ago, is removed from the store. */
  readonly collect: boolean;
  /** Ended runs stay so long: a repeated key has its recorded effect for as long. */
  readonly keepRunsMs: number;
  readonly keepReleases: number;
  readonly keepExposuresMs: number;
  readonly keepLineageMs: number;
  /** Entries of the audit trail stay so long. */
  readonly keepTrailMs: number;
  /** Threads of the compute pool; absent: what the machine has. */
  readonly threads?: number;
  readonly checkpoints: CheckpointRules;
  /** An older live model is warned of. */
  readonly modelAgeMsMax: number;
  readonly tfjsNative?: string;
  readonly log: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  /** Collections of callers with outbox entries, as database.collection, and the server that has them. */
  readonly outbox: { readonly url: string; readonly collections: readonly string[]; readonly tls?: TlsTrust };
  /** Of jobs and data sets in events of lineage; the tenant is added. */
  readonly lineageNamespace: string;
  readonly openLineage?: OpenLineageAddress;
  /** Webhooks may go to private addresses, and over http. */
  readonly webhookPrivate: boolean;
  /** Whether accounts that are judged not to be people are kept out of what is learned, or told only. */
  readonly quality: 'observe' | 'hold';
  /** A newcomer's demo: initial passwords are allowed. */
  readonly demo: boolean;
  readonly stateDir: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

export const stateDirOf = (environment: Environment): string =>
  resolve(environment.MILLRACE_STATE ?? join(PROJECT_DIR, '.millrace'));

/** Values that come from files: the token of a lineage service, and the services that `npm start` wrote down. */
function fromFiles(environment: Environment, state: string): Record<string, string> {
  const token = environment.MILLRACE_OPENLINEAGE_TOKEN_FILE;
  const found: Record<string, string> =
    token !== undefined && existsSync(token) ? { MILLRACE_OPENLINEAGE_TOKEN: readFileSync(token, 'utf8').trim() } : {};
  const services = join(state, 'services.json');
  if (!existsSync(services)) return found;
  try {
    const parsed = z
      .object({ redisUrl: z.string(), mongodbUrl: z.string() })
      .parse(JSON.parse(readFileSync(services, 'utf8')));
    return { ...found, REDIS_URL: parsed.redisUrl, MONGODB_URL: parsed.mongodbUrl };
  } catch {
    return found; // a half-written file of a start in progress: the missing URLs are reported below
  }
}

type Keys = Pick<Config, 'masterKeys' | 'tenantKey' | 'sealKeys' | 'keyProviders'>;

/** All three keys, or every problem with them. */
function keysOf(environment: Environment, state: string): Keys | readonly string[] {
  const [master, tenant, seal] = KEY_NAMES.map((name) => findKeys(name, environment, state));
  if (typeof master !== 'object' || typeof tenant !== 'object' || typeof seal !== 'object')
    return [master, tenant, seal].filter((found) => typeof found === 'string');
  return {
    masterKeys: Object.freeze(master.keys),
    tenantKey: tenant.keys[0]!,
    sealKeys: seal.keys.map((key) => key.toString('hex')).join(','),
    keyProviders: Object.freeze({ master: master.provider, tenant: tenant.provider, seal: seal.provider }),
  };
}

type Certificates = Pick<Config, 'redisTls' | 'mongodbTls' | 'https'>;

/** What is set of TLS, or every problem with it. */
function certificatesOf(set: Environment, redisUrl?: string, mongodbUrl?: string): Certificates | readonly string[] {
  const found = {
    redisTls: trustOf('redis', set, redisUrl),
    mongodbTls: trustOf('mongodb', set, mongodbUrl),
    https: servedWith(set),
  };
  const problems = Object.values(found)
    .filter((one) => Array.isArray(one))
    .flat() as string[];
  return problems.length > 0 ? problems : omitUndefined(found);
}

const omitUndefined = (fields: object): object =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));

const HINTS: Readonly<Record<string, string>> = {
  REDIS_URL: 'is not set and no services are running: `npm start` starts them',
  MONGODB_URL: 'is not set and no services are running: `npm start` starts them',
};

/** Where `npm run setup:native` put TensorFlow's native engine, if it did. */
function nativeEngine(environment: Environment, named: string | undefined): { readonly tfjsNative?: string } {
  const cache = environment.XDG_CACHE_HOME ?? join(homedir(), '.cache');
  const path = named ?? join(cache, 'millrace', 'tfjs-native', 'node_modules', '@tensorflow', 'tfjs-node');
  return existsSync(path) ? { tfjsNative: path } : {};
}

const openLineage = (
  url: string | undefined,
  token: string | undefined,
): { readonly openLineage?: OpenLineageAddress } =>
  url === undefined ? {} : { openLineage: Object.freeze({ url, ...(token === undefined ? {} : { token }) }) };

/** Its certificates are those of the store's own server. */
const outboxServer = (url: string, tls: TlsTrust | undefined): { readonly url: string; readonly tls?: TlsTrust } =>
  tls !== undefined && isTlsUrl('mongodb', url) ? { url, tls } : { url };

/** Parses the environment; throws CONFIG_INVALID that lists every problem without echoing a value. */
export function readConfig(environment: Environment = process.env): Config {
  const set = Object.fromEntries(
    Object.entries(environment).filter(([, value]) => value !== undefined && value !== ''),
  );
  const stateDir = stateDirOf(environment);
  const parsed = environmentSchema.safeParse({ ...fromFiles(environment, stateDir), ...set });
  const keys = keysOf(set, stateDir);
  const certificates = certificatesOf(set, parsed.data?.REDIS_URL, parsed.data?.MONGODB_URL);
  if (!parsed.success || !('masterKeys' in keys) || 'length' in certificates) {
    const settings = (parsed.error?.issues ?? []).map(({ path, message }) => {
      const name = path.join('.');
      return `${name} ${set[name] === undefined ? (HINTS[name] ?? message) : message}`;
    });
    const problems = [
      ...settings,
      ...('masterKeys' in keys ? [] : keys),
      ...('length' in certificates ? certificates : []),
    ];
    throw new AppError('CONFIG_INVALID', {
      message: `The configuration is not valid: ${problems.join('; ')}.`,
      details: { problems },
    });
  }
  const e = parsed.data;
  return Object.freeze({
    redisUrl: e.REDIS_URL,
    mongodbUrl: e.MONGODB_URL,
    database: e.MILLRACE_DATABASE,
    prefix: e.MILLRACE_PREFIX,
    tenant: e.MILLRACE_TENANT,
    ...keys,
    ...certificates,
    host: e.MILLRACE_HOST,
    gatewayPort: e.MILLRACE_GATEWAY_PORT,
    dashboardPort: e.MILLRACE_DASHBOARD_PORT,
    healthHost: e.MILLRACE_HEALTH_HOST,
    healthPort: e.MILLRACE_HEALTH_PORT,
    healthWindowMs: e.MILLRACE_HEALTH_WINDOW_MS,
    stopMs: e.MILLRACE_STOP_MS,
    keepCompletedMs: e.MILLRACE_KEEP_COMPLETED_HOURS * 3600_000,
    keepCompletedMax: e.MILLRACE_KEEP_COMPLETED_MAX,
    collect: e.MILLRACE_COLLECT,
    keepRunsMs: e.MILLRACE_KEEP_RUNS_DAYS * 24 * 3600_000,
    keepReleases: e.MILLRACE_KEEP_RELEASES,
    keepExposuresMs: e.MILLRACE_KEEP_EXPOSURES_DAYS * 24 * 3600_000,
    keepLineageMs: e.MILLRACE_KEEP_LINEAGE_DAYS * 24 * 3600_000,
    keepTrailMs: e.MILLRACE_KEEP_TRAIL_DAYS * 24 * 3600_000,
    ...(e.MILLRACE_THREADS === undefined ? {} : { threads: e.MILLRACE_THREADS }),
    modelAgeMsMax: e.MILLRACE_MODEL_HOURS_MAX * 3600_000,
    checkpoints: Object.freeze({
      everyEpochs: e.MILLRACE_CHECKPOINT_EPOCHS,
      everyMs: e.MILLRACE_CHECKPOINT_SECONDS * 1000,
      bytesMax: e.MILLRACE_CHECKPOINT_MB_MAX * 2 ** 20,
    }),
    ...nativeEngine(environment, e.MILLRACE_TFJS_NATIVE),
    log: e.MILLRACE_LOG,
    outbox: Object.freeze({
      ...outboxServer(e.MILLRACE_OUTBOX_URL ?? e.MONGODB_URL, certificates.mongodbTls),
      collections: e.MILLRACE_OUTBOX?.split(',') ?? [],
    }),
    webhookPrivate: e.MILLRACE_WEBHOOK_PRIVATE,
    lineageNamespace: e.MILLRACE_OPENLINEAGE_NAMESPACE,
    ...openLineage(e.MILLRACE_OPENLINEAGE_URL, e.MILLRACE_OPENLINEAGE_TOKEN),
    quality: e.MILLRACE_QUALITY,
    demo: e.MILLRACE_DEMO,
    stateDir,
  });
}
