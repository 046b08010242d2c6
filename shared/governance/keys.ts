/**
 * Owns how names of the outside become fixed-length keys: people (keyed, so that they cannot be guessed back without the
 * tenant key), items, events, sessions and request ids.
 */
import { createHmac, createSecretKey, hash } from 'node:crypto';
import { deriveKey } from './crypto.ts';

/** Bytes of the key of a person, an item, an event or a request. */
export const ENTITY_KEY_BYTES = 16;
export const SESSION_KEY_BYTES = 8;

/**
 * Two strings cannot run into each other: the tenant's and the source's alphabets have no NUL.
 * By way of a one-byte-a-character string: half the cost of asking for a buffer (Node 24), and there is one a row.
 */
const digest = (text: string): Uint8Array =>
  Buffer.from(hash('sha256', text, 'binary').slice(0, ENTITY_KEY_BYTES), 'binary');

/** SHA-256(tenant, external id), 16 bytes. Items are not personal. */
export function itemKeyOf(tenant: string, externalId: string): Uint8Array {
  return digest(`item\0${tenant}\0${externalId}`);
}

/** SHA-256(tenant, source, id), 16 bytes: what de-duplication compares. */
export function eventKeyOf(tenant: string, source: string, id: string): Uint8Array {
  return digest(`event\0${tenant}\0${source}\0${id}`);
}

/** SHA-256(tenant, request id), 16 bytes: joins events to the exposure that caused them. */
export function requestKeyOf(tenant: string, requestId: string): Uint8Array {
  return digest(`request\0${tenant}\0${requestId}`);
}

/** SHA-256(tenant, receipt), 16 bytes: joins a consent to its receipt, whose text lies in the person's envelope. */
export function receiptKeyOf(tenant: string, receipt: string): Uint8Array {
  return digest(`receipt\0${tenant}\0${receipt}`);
}

/** The keyed names of one deployment. */
export interface PersonalKeys {
  /** HMAC-SHA256(tenant key, (tenant, external id)), 16 bytes. */
  subject(tenant: string, externalId: string): Uint8Array;
  /** Keyed hash of (tenant, session), 8 bytes, never all zero. */
  session(tenant: string, session: string): Uint8Array;
  /** Of a subject key, for the list of who was erased: a keyed hash under a key of its own, 32 hex digits. Knows nobody who is not asked about. */
  mark(tenant: string, subject: Uint8Array): string;
}

export function personalKeys(tenantKey: Uint8Array): PersonalKeys {
  const subjectKey = createSecretKey(deriveKey(tenantKey, 'subject'));
  const sessionKey = createSecretKey(deriveKey(tenantKey, 'session'));
  const suppressionKey = createSecretKey(deriveKey(tenantKey, 'suppression'));
  return {
    subject: (tenant, externalId) =>
      createHmac('sha256', subjectKey).update(`${tenant}\0${externalId}`).digest().subarray(0, ENTITY_KEY_BYTES),
    session: (tenant, session) => {
      const key = createHmac('sha256', sessionKey)
        .update(`${tenant}\0${session}`)
        .digest()
        .subarray(0, SESSION_KEY_BYTES);
      if (key.every((byte) => byte === 0)) key[0] = 1; // all zero is the mark of no session
      return key;
    },
    mark: (tenant, subject) =>
      createHmac('sha256', suppressionKey)
        .update(`${tenant}\0`)
        .update(subject)
        .digest('hex')
        .slice(0, 2 * ENTITY_KEY_BYTES),
  };
}

/** Lower-case hex, as ids of documents and keys of maps carry it. */
export function hexOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('hex');
}
