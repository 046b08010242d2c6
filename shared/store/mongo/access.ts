/** Owns who may come in: API keys (the store knows only a hash of the secret) and accounts of people. */
import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Collection, Db } from 'mongodb';
import type { Account, Accounts, ApiKey, ApiKeys, KeyScope } from '../ports.ts';
import { COLLECTIONS } from './names.ts';

interface KeyDocument extends Omit<ApiKey, 'id'> {
  _id: string;
  /** SHA-256 of the secret. A secret has 256 random bits: a slow hash would add nothing. */
  hash: Uint8Array;
}

/** `mr_<id>_<secret>`: the id finds the document, the whole text is hashed. */
const SECRET = /^mr_([0-9a-f]{16})_[A-Za-z0-9_-]{43}$/;

class MongoApiKeys implements ApiKeys {
  readonly #keys: Collection<KeyDocument>;
  readonly #clock: () => number;

  constructor(db: Db, clock: () => number) {
    this.#keys = db.collection<KeyDocument>(COLLECTIONS.apiKeys);
    this.#clock = clock;
  }

  async create(
    tenant: string,
    name: string,
    scopes: readonly KeyScope[],
    more: Pick<ApiKey, 'role' | 'expiresAt'> = {},
  ): ReturnType<ApiKeys['create']> {
    const id = randomBytes(8).toString('hex');
    const secret = `mr_${id}_${randomBytes(32).toString('base64url')}`;
    const key: ApiKey = { id, tenant, name, scopes, ...more, createdAt: this.#clock() };
    const { id: _id, ...rest } = key;
    await this.#keys.insertOne({ _id, ...rest, hash: hash('sha256', secret, 'buffer') });
    return { key, secret };
  }

  async find(secret: string): Promise<ApiKey | undefined> {
    const id = SECRET.exec(secret)?.[1];
    if (id === undefined) return undefined;
    const found = await this.#keys.findOne({ _id: id });
    if (found === null || found.revokedAt !== undefined) return undefined;
    return timingSafeEqual(hash('sha256', secret, 'buffer'), found.hash) ? toKey(found) : undefined;
  }

  async list(tenant: string): Promise<ApiKey[]> {
    const found = await this.#keys.find({ tenant }).toArray();
    return found.map(toKey).sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1));
  }

  async revoke(tenant: string, id: string): Promise<boolean> {
    const filter = { _id: id, tenant, revokedAt: { $exists: false } };
    const revoked = await this.#keys.updateOne(filter, { $set: { revokedAt: this.#clock() } });
    return revoked.matchedCount === 1;
  }
}

function toKey({ _id, hash: _hash, ...rest }: KeyDocument): ApiKey {
  return { id: _id, ...rest };
}

type AccountDocument = Omit<Account, 'user'> & { _id: string };

const toAccount = ({ _id, ...rest }: AccountDocument): Account => ({ user: _id, ...rest });

class MongoAccounts implements Accounts {
  readonly #accounts: Collection<AccountDocument>;

  constructor(db: Db) {
    this.#accounts = db.collection(COLLECTIONS.accounts);
  }

  async read(user: string): Promise<Account | undefined> {
    const found = await this.#accounts.findOne({ _id: user });
    return found === null ? undefined : toAccount(found);
  }

  async list(): Promise<Account[]> {
    return (await this.#accounts.find().sort({ _id: 1 }).toArray()).map(toAccount);
  }

  async remove(user: string): Promise<void> {
    await this.#accounts.deleteOne({ _id: user });
  }

  async write({ user, ...rest }: Account): Promise<void> {
    await this.#accounts.replaceOne({ _id: user }, rest, { upsert: true });
  }

  count(): Promise<number> {
    return this.#accounts.countDocuments();
  }
}

export function mongoApiKeys(db: Db, clock: () => number): ApiKeys {
  return new MongoApiKeys(db, clock);
}
export function mongoAccounts(db: Db): Accounts {
  return new MongoAccounts(db);
}
