/** Owns the ports of payload claims, API keys and accounts of the dashboard. */
import type { Role } from '../../governance/roles.ts';

export interface StoredClaim {
  readonly tenant: string;
  readonly id: string;
  /** Run keys that it is bound to. */
  readonly runs: readonly string[];
  readonly storedAt: number;
}

export interface Claims {
  /** Stores payload bytes (sealed by the caller where personal), bound to a run from the start if it is known. */
  put(
    tenant: string,
    bytes: Uint8Array,
    runKey?: string,
  ): Promise<{ readonly id: string; readonly sha256: string; readonly bytes: number }>;
  /** Throws CLAIM_NOT_FOUND when absent or when the hash differs. */
  get(tenant: string, id: string, sha256: string): Promise<Uint8Array>;
  /** Ties a claim to the run that uses it: it is kept until that run ended (and its redrive window closed). */
  bind(tenant: string, id: string, runKey: string): Promise<void>;
  /** Claims that are to be looked at again, the longest due first. */
  due(nowMs: number, limit: number): Promise<StoredClaim[]>;
  /** It is still needed; it is looked at again at that moment. */
  keep(tenant: string, id: string, untilMs: number): Promise<void>;
  /** Removes it, unless another run was bound to it meanwhile. */
  remove(claim: StoredClaim): Promise<void>;
  /** Removes it whoever uses it: another took its place. Idempotent. */
  shred(tenant: string, id: string): Promise<void>;
}

export const KEY_SCOPES = [
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
  'lineage:read',
  'pixel:write',
  'people:read',
  'people:write',
  'mobile:write',
  'sums:give',
  'sums:run',
  'trail:read',
] as const;
export type KeyScope = (typeof KEY_SCOPES)[number];
export interface ApiKey {
  readonly id: string;
  readonly tenant: string;
  readonly name: string;
  readonly scopes: readonly KeyScope[];
  /** It may do what the role may, as far as keys can; then `scopes` is empty. */
  readonly role?: Role;
  /** From then on it is no key any more. */
  readonly expiresAt?: number;
  readonly createdAt: number;
  readonly revokedAt?: number;
}
export interface ApiKeys {
  /** Returns the secret once; the store keeps a hash. */
  create(
    tenant: string,
    name: string,
    scopes: readonly KeyScope[],
    more?: Pick<ApiKey, 'role' | 'expiresAt'>,
  ): Promise<{ readonly key: ApiKey; readonly secret: string }>;
  /** The key of a secret, or undefined. Constant-time comparison. */
  find(secret: string): Promise<ApiKey | undefined>;
  list(tenant: string): Promise<ApiKey[]>;
  revoke(tenant: string, id: string): Promise<boolean>;
}
export interface Account {
  readonly user: string;
  /** PHC string of argon2id. */
  readonly passwordHash: string;
  readonly role: Role;
  /** The password was made by the first start and has not been changed. */
  readonly initial: boolean;
}
export interface Accounts {
  read(user: string): Promise<Account | undefined>;
  write(account: Account): Promise<void>;
  /** In order of their names. */
  list(): Promise<Account[]>;
  remove(user: string): Promise<void>;
  count(): Promise<number>;
}
