/** Owns opening the store: one client, its indexes, and all ports over it. */
import { type Db, MongoClient, MongoServerError } from 'mongodb';
import type { ComputePool } from '../../compute/task.ts';
import type { Config } from '../../config.ts';
import type { TlsTrust } from '../../contract-kit/tls.ts';
import { AppError } from '../../errors.ts';
import { deriveKey, masterRing } from '../../governance/crypto.ts';
import { personalKeys } from '../../governance/keys.ts';
import { signingKeyOf } from '../../governance/signing.ts';
import type { Telemetry } from '../../telemetry/stream.ts';
import type { Store } from '../ports.ts';
import { mongoAccounts, mongoApiKeys } from './access.ts';
import { createAnswerIndexes, mongoAnswers } from './answers.ts';
import { createBudgetIndexes, mongoBudgets } from './budgets.ts';
import { mongoBlocks } from './block-store.ts';
import { createCheckpointIndexes, mongoCheckpoints } from './checkpoints.ts';
import { mongoCollector } from './collection/collector.ts';
import { createClaimIndexes, mongoClaims } from './claims.ts';
import { mongoConsents } from './consents.ts';
import { guarded, hostsOf, mongodbTls, translated, unavailable, type Watch } from './driver-errors.ts';
import { createErasureIndexes, mongoErasures } from './erasure/erasures.ts';
import { mongoEvents } from './events.ts';
import { createExposureIndexes, mongoExposures } from './exposures.ts';
import { createFormatIndexes, mongoFormats, WriteFormat } from './formats.ts';
import { createIdentityIndexes, mongoIdentities } from './identities.ts';
import { mongoItems } from './items.ts';
import { mongoJournal } from './journal.ts';
import { KnownKeys, type KeyringParts } from './keyring.ts';
import { createDeadLetterIndexes, mongoDeadLetters } from './dead-letters.ts';
import { createLedgerIndexes, mongoLedger } from './ledger.ts';
import { createLineageIndexes, mongoLineage } from './lineage.ts';
import { createLineageEventIndexes, mongoLineageEvents } from './lineage-events.ts';
import { COLLECTIONS } from './names.ts';
import { Partitions } from './partitions.ts';
import { mongoOrganisations } from './organisations.ts';
import { mongoPeople } from './people.ts';
import { mongoPersonWindows } from './person-windows.ts';
import { mongoPersonTokens } from './person-tokens.ts';
import { createPipelineRunIndexes, mongoPipelineRuns } from './pipeline-runs.ts';
import { mongoPrompts } from './prompts.ts';
import { createQuarantineIndexes, mongoMappings, mongoQuarantine } from './quarantine.ts';
import { createVerdictIndexes, mongoVerdicts } from './verdicts.ts';
import { mongoReceipts } from './receipts.ts';
import { createReleaseIndexes, mongoReleases } from './releases.ts';
import { mongoKeyring } from './rotation.ts';
import { mongoServed } from './served.ts';
import { createSumIndexes, mongoSums } from './sums.ts';
import { mongoTicks } from './ticks.ts';
import { mongoTrail } from './trail.ts';
import { mongoTunings } from './tunings.ts';
import { mongoVersions } from './versions.ts';
import { mongoWebhooks } from './webhooks.ts';

export interface StoreAddress {
  readonly url: string;
  readonly tls?: TlsTrust | undefined;
  readonly database: string;
  /** 32 bytes; or several, the current one first. */
  readonly masterKey: Uint8Array | readonly Uint8Array[];
  /** Key of the pseudonyms of people; never changes. */
  readonly tenantKey: Uint8Array;
}

export interface OpenStoreOptions extends StoreAddress {
  /** Milliseconds since 1970. Default Date.now. */
  readonly clock?: () => number;
  /** Where blocks are opened, merged and sealed; absent: on the calling thread. */
  readonly compute?: ComputePool;
  /** Hears of every call of a port. */
  readonly telemetry?: Telemetry;
  /** How long an operation waits for a server. Default 5,000. */
  readonly serverSelectionTimeoutMs?: number;
  /** Connections to the server. Default 20. */
  readonly connectionsMax?: number;
  /** After so long a gap in an ordered log is closed. Default 2,000. */
  readonly staleGapMs?: number;
}

/** What a process' configuration says of its store. */
export function storeAt({
  mongodbUrl: url,
  mongodbTls: tls,
  database,
  masterKeys: masterKey,
  tenantKey,
}: Pick<Config, 'mongodbUrl' | 'mongodbTls' | 'database' | 'masterKeys' | 'tenantKey'>): StoreAddress {
  return { url, tls, database, masterKey, tenantKey };
}

/**
 * A half-open network path is noticed by the driver's own heartbeat: every so often, answered within the connect timeout. All
 * operations at work on that server then end, and what may be repeated is. At the driver's defaults that took 40 s.
 */
const HEARTBEAT_MS = 5000;
const CONNECT_TIMEOUT_MS = 5000;
/** A single connection that has gone silent, while the heartbeat's own is well. Longer than any one operation of ours takes. */
const SOCKET_TIMEOUT_MS = 120_000;

const DEFAULTS = { serverSelectionTimeoutMs: 5000, connectionsMax: 20 };

/**
 * Connects, checks the keys, makes the indexes and gives the ports. Throws SERVICE_UNAVAILABLE when no server answers, CONFIG_INVALID
 * when the address or a key cannot be used, KEY_WRONG or MASTER_KEY_MISSING when the database was written with others. Close it with `await using`.
 */
export async function openStore(options: OpenStoreOptions): Promise<Store> {
  const client = clientFor(options);
  const hosts = hostsOf(options.url);
  try {
    await client.connect();
    const db = client.db(options.database);
    const keys = keysOf(db, options);
    const known = new KnownKeys(keys);
    await known.admit();
    await createIndexes(db);
    const store = portsOver(keys, known, hosts, options);
    return { ...store, [Symbol.asyncDispose]: () => client.close() };
  } catch (thrown) {
    await client.close();
    throw connectFailure(thrown, hosts, options.tls !== undefined);
  }
}

/** The database itself, for what works below the ports (backups). Throws as `openStore` does. */
export async function openDatabase(
  options: OpenStoreOptions,
): Promise<{ readonly db: Db; readonly hosts: string } & AsyncDisposable> {
  const client = clientFor(options);
  const hosts = hostsOf(options.url);
  try {
    await client.connect();
    return { db: client.db(options.database), hosts, [Symbol.asyncDispose]: () => client.close() };
  } catch (thrown) {
    await client.close();
    throw connectFailure(thrown, hosts);
  }
}

function clientFor(options: OpenStoreOptions): MongoClient {
  try {
    return new MongoClient(options.url, {
      ...mongodbTls(options.tls),
      appName: 'millrace',
      serverSelectionTimeoutMS: options.serverSelectionTimeoutMs ?? DEFAULTS.serverSelectionTimeoutMs,
      maxPoolSize: options.connectionsMax ?? DEFAULTS.connectionsMax,
      heartbeatFrequencyMS: HEARTBEAT_MS,
      connectTimeoutMS: CONNECT_TIMEOUT_MS,
      socketTimeoutMS: SOCKET_TIMEOUT_MS,
      // Binaries come back as buffers, and absent fields stay absent.
      promoteBuffers: true,
      ignoreUndefined: true,
    });
  } catch {
    // The constructor only reads the address and never connects. Its errors repeat the address, so they go no further.
    throw badAddress('is not an address that the driver understands', 'mongodb://HOST:PORT/ is expected');
  }
}

function badAddress(what: string, todo: string): AppError {
  return new AppError('CONFIG_INVALID', {
    message: `MONGODB_URL ${what}.`,
    details: { problems: [`MONGODB_URL ${what}: ${todo}`] },
  });
}

/** AuthenticationFailed, Unauthorized, and what hosted servers say instead. */
const REFUSALS = new Set<unknown>([18, 13, 8000]);

/** What the driver says may repeat the address with its password: neither its text nor the error itself is kept. */
export function connectFailure(thrown: unknown, hosts: string, atFirstByTls = false): AppError {
  if (thrown instanceof AppError) return thrown;
  if (thrown instanceof MongoServerError && REFUSALS.has(thrown.code))
    return badAddress('names a user or password that the store refuses', 'check both, and the rights of that user');
  const coded = translated(thrown, hosts, atFirstByTls);
  return coded instanceof AppError ? coded : unavailable(hosts, thrown);
}

/** Only what every server of the house has: plain ascending and descending keys. */
async function createIndexes(db: Db): Promise<void> {
  await Promise.all([
    createLedgerIndexes(db),
    createDeadLetterIndexes(db),
    createCheckpointIndexes(db),
    createClaimIndexes(db),
    createReleaseIndexes(db),
    createPipelineRunIndexes(db),
    createQuarantineIndexes(db),
    createLineageIndexes(db),
    createLineageEventIndexes(db),
    createIdentityIndexes(db),
    createVerdictIndexes(db),
    createErasureIndexes(db),
    createExposureIndexes(db),
    createBudgetIndexes(db),
    createAnswerIndexes(db),
    createSumIndexes(db),
    db.collection(COLLECTIONS.versions).createIndexes([{ key: { tenant: 1, kind: 1, createdAt: -1 }, name: 'latest' }]),
    db.collection(COLLECTIONS.consentLog).createIndexes([{ key: { 'body.run': 1 }, name: 'run' }]),
    createFormatIndexes(db),
    db.collection(COLLECTIONS.apiKeys).createIndexes([{ key: { tenant: 1 }, name: 'tenant' }]),
    db.collection(COLLECTIONS.webhooks).createIndexes([{ key: { tenant: 1 }, name: 'tenant' }]),
  ]);
}

type OverOptions = Omit<OpenStoreOptions, 'url' | 'database'>;

/** The ports over a database that somebody else has opened, and closes; its keys and indexes are theirs to look after as well. */
export function storeOver(db: Db, options: OverOptions): Store {
  const keys = keysOf(db, options);
  return portsOver(keys, new KnownKeys(keys), 'the address given', options);
}

function keysOf(db: Db, { masterKey, tenantKey, clock = Date.now }: OverOptions): KeyringParts {
  const ring = masterRing(masterKey instanceof Uint8Array ? [masterKey] : masterKey);
  return { db, ring, tenantKey, personal: personalKeys(tenantKey), clock };
}

function portsOver(keys: KeyringParts, known: KnownKeys, hosts: string, options: OverOptions): Store {
  const { db, ring, personal, clock } = keys;
  const blocks = mongoBlocks(db, ring, options.compute);
  const people = mongoPeople(db, ring, personal, clock);
  const versions = mongoVersions(db, blocks, clock);
  const partitions = new Partitions(db, clock);
  const writes = new WriteFormat(db);
  const staleGap = options.staleGapMs === undefined ? {} : { staleGapMs: options.staleGapMs };
  const consents = mongoConsents(db, ring, people, personal, clock, staleGap);
  const signingKey = signingKeyOf(deriveKey(options.tenantKey, 'erasure-reports'));
  const erasing = { db, ring, personal, blocks, partitions, writes, consents, signingKey };
  const port = <T extends object>(name: string, over: T): T => guarded(over, hosts, watchOf(name, options.telemetry));
  return {
    ledger: port('ledger', mongoLedger(db)),
    deadLetters: port('deadLetters', mongoDeadLetters(db)),
    releases: port('releases', mongoReleases(db)),
    pipelineRuns: port('pipelineRuns', mongoPipelineRuns(db)),
    ticks: port('ticks', mongoTicks(db)),
    tunings: port('tunings', mongoTunings(db)),
    people: port('people', people),
    items: port('items', mongoItems(db)),
    consents: port('consents', consents),
    organisations: port('organisations', mongoOrganisations(db, clock)),
    receipts: port('receipts', mongoReceipts(people, signingKeyOf(deriveKey(options.tenantKey, 'consent-receipts')))),
    identities: port('identities', mongoIdentities(db, people)),
    events: port('events', mongoEvents({ partitions, blocks, versions, personal, writes })),
    erasures: port('erasures', mongoErasures(erasing)),
    versions: port('versions', versions),
    checkpoints: port('checkpoints', mongoCheckpoints(db, versions, clock)),
    served: port('served', mongoServed(db)),
    exposures: port('exposures', mongoExposures(db)),
    budgets: port('budgets', mongoBudgets(db)),
    answers: port('answers', mongoAnswers(db)),
    sums: port('sums', mongoSums(db)),
    prompts: port('prompts', mongoPrompts(db)),
    claims: port('claims', mongoClaims(db, clock)),
    journal: port('journal', mongoJournal(db)),
    apiKeys: port('apiKeys', mongoApiKeys(db, clock)),
    personTokens: port('personTokens', mongoPersonTokens(db, options.tenantKey, clock)),
    accounts: port('accounts', mongoAccounts(db)),
    trail: port('trail', mongoTrail({ db, ring, tenantKey: options.tenantKey, clock })),
    webhooks: port('webhooks', mongoWebhooks(db, ring, clock)),
    lineage: port('lineage', mongoLineage(db, ring)),
    lineageEvents: port('lineageEvents', mongoLineageEvents(db, clock)),
    quarantine: port('quarantine', mongoQuarantine(db, ring, clock)),
    personWindows: port('personWindows', mongoPersonWindows(db, clock)),
    mappings: port('mappings', mongoMappings(db, clock)),
    formats: port('formats', mongoFormats({ db, blocks, partitions, writes })),
    keyring: port('keyring', mongoKeyring(keys, known)),
    verdicts: port('verdicts', mongoVerdicts(db, clock)),
    collector: port('collector', mongoCollector(db, clock)),
    ping: () => ping(db, hosts),
    [Symbol.asyncDispose]: async () => {},
  };
}

/** Calls of one port as events. */
function watchOf(port: string, telemetry: Telemetry | undefined): Watch | undefined {
  if (telemetry === undefined) return undefined;
  return (operation, seconds, code) =>
    telemetry.emit('store.operation', { port, operation, seconds, ok: code === undefined, code });
}

async function ping(db: Db, hosts: string): Promise<{ server: string; ms: number }> {
  const started = performance.now();
  try {
    const info = await db.command({ buildInfo: 1 });
    const ferret = (info.ferretdb as { version?: unknown } | undefined)?.version;
    const server = typeof ferret === 'string' ? `FerretDB ${ferret}` : `MongoDB ${String(info.version)}`;
    return { server, ms: performance.now() - started };
  } catch (thrown) {
    throw connectFailure(thrown, hosts);
  }
}
