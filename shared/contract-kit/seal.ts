/**
 * Owns sealing: personal input travels as AES-256-GCM ciphertext, so that Redis holds nothing in the clear.
 * The plain text is deflated first (events repeat their field names), then encrypted with a fresh 96-bit nonce.
 * Additional data binds a payload to its run: it cannot be moved to another job.
 * Sources: NIST SP 800-38D (GCM), RFC 1951 (deflate).
 */
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hash,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { AppError } from '../errors.ts';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** zlib fills buffers of this size: one for what fits into an envelope, where its default takes several and joins them. */
const DEFLATE_CHUNK_BYTES = 64 * 1024;
const INFLATE_CHUNK_BYTES_MAX = 256 * 1024;
const INFLATE_CHUNK_BYTES_MIN = 4 * 1024;
/** Batches of events deflate to about a quarter. */
const INFLATION = 5;

export interface SealedPayload {
  /** Id of the seal key, see `sealKeyId`. */
  readonly kid: string;
  /** base64(nonce | tag | ciphertext). */
  readonly box: string;
}

/** The seal keys a process knows; the first one seals, all of them open. */
export interface SealRing {
  /** Key objects: a cipher from raw bytes costs several times one from a prepared key. */
  readonly keys: readonly { readonly id: string; readonly key: KeyObject }[];
}

/** Short id of a key: the first 8 hex digits of its SHA-256. */
export function sealKeyId(key: Buffer): string {
  return hash('sha256', key, 'hex').slice(0, 8);
}

/** Reads comma-separated 64-digit hex keys; throws CONFIG_INVALID without echoing them. */
export function sealRing(text: string): SealRing {
  const keys = text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map((hex, index) => {
      if (!/^[0-9a-fA-F]{64}$/.test(hex))
        throw new AppError('CONFIG_INVALID', {
          message: `Seal key ${index + 1} is not 64 hex digits.`,
          details: { problems: ['seal'] },
        });
      const key = Buffer.from(hex, 'hex');
      return { id: sealKeyId(key), key: createSecretKey(key) };
    });
  if (keys.length === 0)
    throw new AppError('CONFIG_INVALID', { message: 'No seal key is given.', details: { problems: ['seal'] } });
  return { keys };
}

/** Names of the keys of such a text, the current one first. */
export const sealKeyIds = (text: string): string[] => sealRing(text).keys.map(({ id }) => id);

export function seal(ring: SealRing, plain: string, boundTo: string): SealedPayload {
  const current = ring.keys[0];
  if (current === undefined) throw new AppError('CONFIG_INVALID', { message: 'No seal key is given.' });
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', current.key, nonce, { authTagLength: TAG_BYTES }).setAAD(
    Buffer.from(boundTo),
  );
  const body = cipher.update(deflateRawSync(Buffer.from(plain), { level: 1, chunkSize: DEFLATE_CHUNK_BYTES }));
  const rest = cipher.final();
  return { kid: current.id, box: Buffer.concat([nonce, cipher.getAuthTag(), body, rest]).toString('base64') };
}

/** The id of the key of a sealed payload that is serialised as JSON, by its beginning; undefined: it is not sealed. */
export const sealKeyOf = (text: string): string | undefined => /^\{"kid":"([0-9a-f]{8})"/.exec(text)?.[1];

/** Opens what `seal` made for the same `boundTo`; at most `plainBytesMax` come out. Throws PAYLOAD_UNREADABLE. */
export function openSeal(ring: SealRing, sealed: SealedPayload, boundTo: string, plainBytesMax: number): string {
  const found = ring.keys.find((candidate) => candidate.id === sealed.kid);
  if (found === undefined) throw new AppError('PAYLOAD_UNREADABLE', { details: { keyId: sealed.kid } });
  try {
    const box = Buffer.from(sealed.box, 'base64');
    const decipher = createDecipheriv('aes-256-gcm', found.key, box.subarray(0, NONCE_BYTES), {
      authTagLength: TAG_BYTES,
    })
      .setAAD(Buffer.from(boundTo))
      .setAuthTag(box.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
    const packed = Buffer.concat([decipher.update(box.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]);
    const chunkSize = Math.min(INFLATE_CHUNK_BYTES_MAX, Math.max(INFLATE_CHUNK_BYTES_MIN, packed.length * INFLATION));
    return inflateRawSync(packed, { maxOutputLength: plainBytesMax, chunkSize }).toString();
  } catch (cause) {
    throw new AppError('PAYLOAD_UNREADABLE', { cause, details: { keyId: sealed.kid } });
  }
}

/** A hash of personal input that cannot be guessed back without the seal key. Keyed by the ring's last (oldest) key, so rotation keeps it. */
export function sealedHash(ring: SealRing, plain: string): string {
  const oldest = ring.keys.at(-1);
  if (oldest === undefined) throw new AppError('CONFIG_INVALID', { message: 'No seal key is given.' });
  return createHmac('sha256', oldest.key).update('input-hash\0').update(plain).digest('hex');
}
