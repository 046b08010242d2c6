/** Owns tokens of people in the store: what was spent on a change is remembered until it has expired. */
import type { Collection, Db } from 'mongodb';
import { TokenMint } from '../../governance/person-tokens.ts';
import type { PersonToken, PersonTokens } from '../ports.ts';
import { isDuplicateKey } from './driver-errors.ts';
import { COLLECTIONS, idOf } from './names.ts';

interface SpentDocument {
  _id: string;
  expiresAt: number;
}

class MongoPersonTokens implements PersonTokens {
  readonly #spent: Collection<SpentDocument>;
  readonly #mint: TokenMint;
  readonly #clock: () => number;

  constructor(db: Db, tenantKey: Uint8Array, clock: () => number) {
    this.#spent = db.collection<SpentDocument>(COLLECTIONS.spentTokens);
    this.#mint = new TokenMint(tenantKey);
    this.#clock = clock;
  }

  mint(tenant: string, user: string, { acts, seconds }: Parameters<PersonTokens['mint']>[2]) {
    return this.#mint.mint(tenant, user, acts, seconds, this.#clock());
  }

  read(token: string): Promise<PersonToken> {
    return this.#mint.read(token, this.#clock());
  }

  async spend({ tenant, id, expiresAt }: PersonToken): Promise<boolean> {
    try {
      await this.#spent.insertOne({ _id: idOf(tenant, id), expiresAt });
      return true;
    } catch (thrown) {
      if (isDuplicateKey(thrown)) return false;
      throw thrown;
    }
  }

  async forget(): Promise<number> {
    const { deletedCount } = await this.#spent.deleteMany({ expiresAt: { $lt: this.#clock() } });
    return deletedCount;
  }
}

export function mongoPersonTokens(db: Db, tenantKey: Uint8Array, clock: () => number): PersonTokens {
  return new MongoPersonTokens(db, tenantKey, clock);
}
