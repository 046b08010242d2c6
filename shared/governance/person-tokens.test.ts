/** Facts about tokens of people: what is in them, and what is refused with which code. */
import { createHmac, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { SignJWT, UnsecuredJWT } from 'jose';
import { describe, expect, it } from 'vitest';
import { deriveKey } from './crypto.ts';
import { TokenMint } from './person-tokens.ts';
import { signingKeyOf } from './signing.ts';

const TENANT_KEY = Buffer.alloc(32, 5);
const NOW = Date.UTC(2026, 0, 1);
const mint = new TokenMint(TENANT_KEY);
const key = signingKeyOf(deriveKey(TENANT_KEY, 'person-tokens\0main'));

const claimsOf = (token: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as Record<string, unknown>;
const made = async (): Promise<string> => (await mint.mint('main', 'asha@example.org', ['read'], 60, NOW)).token;
const codeOf = async (token: string, nowMs = NOW): Promise<unknown> =>
  mint.read(token, nowMs).then(
    () => 'read',
    (thrown: { code: unknown }) => thrown.code,
  );

/** As the deployment would sign it, with other claims or another header. */
async function signed(claims: Record<string, unknown>, header: Record<string, unknown> = {}): Promise<string> {
  const all = { ...claimsOf(await made()), ...claims };
  const left = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null));
  return new SignJWT(left).setProtectedHeader({ alg: 'EdDSA', typ: 'person+jwt', kid: 'main', ...header }).sign(key);
}

describe('a token of a person', () => {
  it('says whose it is to the deployment alone, once for each', async () => {
    const token = await made();
    expect(await mint.read(token, NOW)).toEqual({
      tenant: 'main',
      user: 'asha@example.org',
      id: expect.any(String),
      acts: ['read'],
      expiresAt: NOW + 60_000,
    });
    const text = Buffer.from(token.replaceAll('.', ''), 'base64url').toString('latin1');
    expect(text).not.toContain('asha');
    const [first, second] = [claimsOf(token), claimsOf(await made())];
    expect([first.sub === second.sub, first.jti === second.jti]).toEqual([false, false]);
  });

  it('is good from its moment on, until it expires', async () => {
    const token = await made();
    expect(await codeOf(token, NOW + 59_000)).toBe('read');
    expect(await codeOf(token, NOW + 60_000)).toBe('AUTH_TOKEN_EXPIRED');
    expect(await codeOf(token, NOW - 1_000)).toBe('AUTH_TOKEN_EARLY');
  });

  it('of another audience, tenant or kind is refused by its own code', async () => {
    expect(await codeOf(await signed({ aud: 'somebody:else' }))).toBe('AUTH_TOKEN_AUDIENCE');
    expect(await codeOf(await signed({ ten: 'other' }))).toBe('AUTH_TOKEN_TENANT');
    expect(await codeOf(await signed({}, { kid: 'other' }))).toBe('AUTH_TOKEN_TENANT');
    // Made for one tenant, and said to be of another inside and outside.
    expect(await codeOf(await signed({ ten: 'other' }, { kid: 'other' }))).toBe('AUTH_TOKEN_INVALID');
    expect(await codeOf(await signed({ iss: 'somebody' }))).toBe('AUTH_TOKEN_INVALID');
    expect(await codeOf(await signed({}, { typ: 'JWT' }))).toBe('AUTH_TOKEN_INVALID');
    for (const claim of ['exp', 'nbf', 'jti', 'sub', 'acts', 'aud'])
      expect(await codeOf(await signed({ [claim]: null }))).toMatch(/^AUTH_TOKEN_(INVALID|AUDIENCE|EARLY)$/);
    expect(await codeOf(await signed({}))).toBe('read');
  });

  it('that was forged is AUTH_TOKEN_INVALID: altered, unsigned, of a stranger, or with the algorithm confused', async () => {
    const token = await made();
    const [header = '', payload = '', signature = ''] = token.split('.');
    const more = Buffer.from(JSON.stringify({ ...claimsOf(token), acts: ['read', 'change'] })).toString('base64url');
    const stranger = generateKeyPairSync('ed25519').privateKey;
    const claims = claimsOf(token);
    const publicPem = createPublicKey(key).export({ type: 'spki', format: 'pem' });
    const hs256 = Buffer.from(JSON.stringify({ alg: 'HS256', typ: 'person+jwt', kid: 'main' })).toString('base64url');
    const mac = createHmac('sha256', publicPem).update(`${hs256}.${payload}`).digest('base64url');
    const forged = [
      `${header}.${more}.${signature}`,
      `${header}.${payload}.`,
      `${header}.${payload}.${Buffer.alloc(64).toString('base64url')}`,
      `${hs256}.${payload}.${mac}`,
      new UnsecuredJWT(claims).encode(),
      await new SignJWT(claims).setProtectedHeader({ alg: 'EdDSA', typ: 'person+jwt', kid: 'main' }).sign(stranger),
      (await new TokenMint(Buffer.alloc(32, 6)).mint('main', 'asha', ['read'], 60, NOW)).token,
      '',
      'a.b.c',
      `${token}.x`,
      'x'.repeat(100_000),
    ];
    for (const one of forged) expect(await codeOf(one)).toBe('AUTH_TOKEN_INVALID');
  });
});
