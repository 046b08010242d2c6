/** Owns a store for tests: a database of its own on the real server, dropped afterwards, with a door to the raw documents. */
import { randomBytes } from 'node:crypto';
import { type Db, MongoClient } from 'mongodb';
import type { EventType } from '../contract-kit/event.ts';
import { eventKeyOf } from '../governance/keys.ts';
import { openStore, type OpenStoreOptions } from './mongo/open.ts';
import type { EventRow, Store } from './ports.ts';

export const TEST_MASTER_KEY = Buffer.alloc(32, 1);
export const TEST_TENANT_KEY = Buffer.alloc(32, 2);

export interface TestStore extends AsyncDisposable {
  readonly store: Store;
  /** The raw database behind it. */
  readonly db: Db;
  /** Another store over the same database, as another process would have it; closed with this one. */
  another(options?: Partial<OpenStoreOptions>): Promise<Store>;
}

/** `npm test` starts the server and sets MONGODB_URL. */
export async function testStore(options: Partial<OpenStoreOptions> = {}): Promise<TestStore> {
  const url = process.env.MONGODB_URL;
  if (url === undefined) throw new Error('MONGODB_URL is not set: run the tests with `npm test`');
  await using stack = new AsyncDisposableStack();
  const client = await MongoClient.connect(url, { promoteBuffers: true });
  stack.defer(() => client.close());
  const db = client.db(`test_store_${randomBytes(6).toString('hex')}`);
  stack.defer(async () => void (await db.dropDatabase()));
  const another = (own: Partial<OpenStoreOptions> = {}): Promise<Store> =>
    openStore({
      url,
      database: db.databaseName,
      masterKey: TEST_MASTER_KEY,
      tenantKey: TEST_TENANT_KEY,
      ...options,
      ...own,
    });
  const stores = stack.use(new AsyncDisposableStack());
  const store = stores.use(await another());
  const owned = stack.move();
  return {
    store,
    db,
    another: async (own) => stores.use(await another(own)),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

export interface TestEvent {
  readonly id: string;
  readonly user: string;
  readonly item?: string;
  readonly type?: EventType;
  readonly value?: number;
  readonly occurredAt?: number;
  readonly recordedAt?: number;
  readonly source?: string;
  readonly session?: string;
  readonly position?: number;
  readonly target?: string;
  readonly requestId?: string;
}

export const TEST_NOON = Date.UTC(2026, 2, 14, 12);

/** A row as ingestion hands it over. */
export function eventRow(store: Store, tenant: string, given: TestEvent): EventRow {
  const { id, source = 'web', recordedAt = TEST_NOON, type = 'click', occurredAt = TEST_NOON, ...rest } = given;
  const [subject] = store.people.keys(tenant, [given.user]);
  const [item] = given.item === undefined ? [] : store.items.keys(tenant, [given.item]);
  return {
    eventId: eventKeyOf(tenant, source, id),
    subject: subject!,
    ...(item !== undefined && { item }),
    source,
    recordedAt,
    event: { id, type, occurredAt, ...rest },
  };
}
