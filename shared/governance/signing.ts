/** Owns what is signed and how it is checked: the canonical JSON of a value (RFC 8785, for the values we sign) and Ed25519 (RFC 8032). */
import { createPrivateKey, createPublicKey, type KeyObject, verify } from 'node:crypto';

/** Keys in the order of their UTF-16 units, no white space; what is undefined is not there. Numbers and strings as ECMAScript writes them, which RFC 8785 asks for. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((entry) => canonicalJson(entry ?? null)).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value)
    .filter(([, entry]) => entry !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, entry]) => `${JSON.stringify(key)}:${canonicalJson(entry)}`);
  return `{${entries.join(',')}}`;
}

/** Whether the signature (base64) over a value is of that key (SPKI, PEM). False for a key or signature that is none. */
export function isSignedBy(value: unknown, signature: string, publicKey: string): boolean {
  try {
    return verify(
      null,
      Buffer.from(canonicalJson(value)),
      createPublicKey(publicKey),
      Buffer.from(signature, 'base64'),
    );
  } catch {
    return false;
  }
}

/** RFC 8410: the octets of an Ed25519 private key follow this in PKCS #8. */
const ED25519_PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');

/** A key that signs, from 32 secret bytes. */
export function signingKeyOf(seed: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([ED25519_PKCS8, seed]), format: 'der', type: 'pkcs8' });
}
