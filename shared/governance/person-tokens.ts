/**
 * Owns what a token of a person is: a JWT (RFC 7519) signed with Ed25519 under a key of the tenant, derived from the tenant key; for minutes, for one
 * audience. Whose it is stands in it encrypted: addresses, logs and the person's browser see no id.
 */
import { createPublicKey, type KeyObject, randomUUID } from 'node:crypto';
import { decodeJwt, decodeProtectedHeader, errors, jwtVerify, SignJWT } from 'jose';
import { z } from 'zod';
import { tenantSchema } from '../contract-kit/names.ts';
import { AppError, type ErrorCodeName } from '../errors.ts';
import { type PersonToken, TOKEN_ACTS, type TokenAct } from '../store/ports/person-tokens.ts';
import { decrypt, deriveKey, encrypt } from './crypto.ts';
import { signingKeyOf } from './signing.ts';

const ALGORITHM = 'EdDSA';
const ISSUER = 'millrace';
const AUDIENCE = 'millrace:me';
const TYPE = 'person+jwt';
const TOKEN_CHARS_MAX = 4_000;

const claimsSchema = z.object({
  sub: z.string(),
  jti: z.string(),
  exp: z.int(),
  ten: tenantSchema,
  acts: z.array(z.enum(TOKEN_ACTS)),
});

const refused = (code: ErrorCodeName, cause?: unknown): AppError => new AppError(code, { cause });
const placeOf = (tenant: string, id: string): string => `person-token\0${tenant}\0${id}`;

/** What the library says of a token, as a code of ours. */
function codeOf(thrown: unknown): ErrorCodeName {
  if (thrown instanceof errors.JWTExpired) return 'AUTH_TOKEN_EXPIRED';
  if (thrown instanceof errors.JWTClaimValidationFailed && thrown.claim === 'nbf') return 'AUTH_TOKEN_EARLY';
  if (thrown instanceof errors.JWTClaimValidationFailed && thrown.claim === 'aud') return 'AUTH_TOKEN_AUDIENCE';
  return 'AUTH_TOKEN_INVALID';
}

export class TokenMint {
  readonly #tenantKey: Uint8Array;
  readonly #namesKey: Uint8Array;
  readonly #keys = new Map<string, { readonly signs: KeyObject; readonly checks: KeyObject }>();

  constructor(tenantKey: Uint8Array) {
    this.#tenantKey = tenantKey;
    this.#namesKey = deriveKey(tenantKey, 'person-token-names');
  }

  /** The key of a tenant; bounded by the tenants that a deployment has keys for. */
  #keysOf(tenant: string): { readonly signs: KeyObject; readonly checks: KeyObject } {
    const known = this.#keys.get(tenant);
    if (known !== undefined) return known;
    const signs = signingKeyOf(deriveKey(this.#tenantKey, `person-tokens\0${tenant}`));
    const made = { signs, checks: createPublicKey(signs) };
    if (this.#keys.size >= KEYS_MAX) this.#keys.clear();
    this.#keys.set(tenant, made);
    return made;
  }

  async mint(tenant: string, user: string, acts: readonly TokenAct[], seconds: number, nowMs: number) {
    const now = Math.floor(nowMs / 1000);
    const id = randomUUID();
    const sub = encrypt(this.#namesKey, Buffer.from(user), placeOf(tenant, id)).toString('base64url');
    const token = await new SignJWT({ ten: tenant, acts: [...acts] })
      .setProtectedHeader({ alg: ALGORITHM, typ: TYPE, kid: tenant })
      .setIssuer(ISSUER)
      .setAudience(AUDIENCE)
      .setSubject(sub)
      .setJti(id)
      .setIssuedAt(now)
      .setNotBefore(now)
      .setExpirationTime(now + seconds)
      .sign(this.#keysOf(tenant).signs);
    return { token, expiresAt: (now + seconds) * 1000 };
  }

  async read(token: string, nowMs: number): Promise<PersonToken> {
    if (token.length > TOKEN_CHARS_MAX) throw refused('AUTH_TOKEN_INVALID');
    const tenant = tenantIn(token);
    const { sub, jti, exp, acts } = await this.#claims(token, tenant, nowMs);
    const user = decrypt(this.#namesKey, Buffer.from(sub, 'base64url'), placeOf(tenant, jti), 'token').toString();
    return { tenant, user, id: jti, acts, expiresAt: exp * 1000 };
  }

  async #claims(token: string, tenant: string, nowMs: number): Promise<z.output<typeof claimsSchema>> {
    try {
      const { payload } = await jwtVerify(token, this.#keysOf(tenant).checks, {
        algorithms: [ALGORITHM],
        typ: TYPE,
        issuer: ISSUER,
        audience: AUDIENCE,
        currentDate: new Date(nowMs),
        requiredClaims: ['sub', 'jti', 'nbf', 'exp', 'ten', 'acts'],
      });
      return claimsSchema.parse(payload);
    } catch (thrown) {
      throw refused(codeOf(thrown), thrown);
    }
  }
}

/** Tenants whose keys are remembered. */
const KEYS_MAX = 1_000;

/** Of the header; a token that says another one inside was put under the wrong key. Nothing of it is believed yet. */
function tenantIn(token: string): string {
  let header: unknown;
  let inside: unknown;
  try {
    header = decodeProtectedHeader(token).kid;
    inside = decodeJwt(token).ten;
  } catch (cause) {
    throw refused('AUTH_TOKEN_INVALID', cause);
  }
  const tenant = tenantSchema.safeParse(header);
  if (!tenant.success) throw refused('AUTH_TOKEN_INVALID');
  if (inside !== tenant.data) throw refused('AUTH_TOKEN_TENANT');
  return tenant.data;
}
