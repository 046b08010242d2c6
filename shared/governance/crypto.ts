/**
 * Owns encryption at rest: AES-256-GCM boxes, data keys wrapped by a master key, and their additional data.
 *
 * Every person and every block has a data key of its own, kept only in wrapped form: deleting the wrapped key shreds what it
 * opened, wherever copies of the ciphertext lie. Additional data names the place of a box (collection, field, subject or block),
 * so that ciphertext moved to another place does not open. Pure but for fresh random bytes.
 * Sources: NIST SP 800-38D (GCM, 96-bit nonces, 128-bit tags); key ids as in the contract kit's sealing.
 */
import { createCipheriv, createDecipheriv, createSecretKey, hash, KeyObject, randomBytes } from 'node:crypto';
import { AppError } from '../errors.ts';

export const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** What a box is longer than its plain bytes. */
export const BOX_OVERHEAD_BYTES = NONCE_BYTES + TAG_BYTES;

/** The master keys a process knows; the first one wraps, all of them unwrap. */
export interface MasterRing {
  readonly keys: readonly { readonly id: string; readonly key: KeyObject }[];
}

/** A data key as it lies in the store: which master key wrapped it, and the box. */
export interface WrappedKey {
  readonly kid: string;
  /** nonce | tag | ciphertext of the data key, 60 bytes. */
  readonly key: Uint8Array;
}

/** Short id of a key: the first 8 hex digits of its SHA-256. */
export function keyIdOf(key: Uint8Array): string {
  return hash('sha256', key, 'hex').slice(0, 8);
}

/** Keys of 32 bytes, the current one first. Throws CONFIG_INVALID without echoing them. */
export function masterRing(keys: readonly Uint8Array[]): MasterRing {
  if (keys.length === 0 || keys.some((key) => key.length !== KEY_BYTES))
    throw new AppError('CONFIG_INVALID', {
      message: 'A master key is missing or is not 32 bytes long.',
      details: { problems: ['MILLRACE_MASTER_KEY must be 64 hex digits'] },
    });
  return { keys: keys.map((key) => ({ id: keyIdOf(key), key: createSecretKey(key) })) };
}

/** A place in the store as additional data: (collection, field, tenant and id of what it belongs to). */
export function placeOf(collection: string, field: string, owner: string): string {
  return `${collection}\0${field}\0${owner}`;
}

export function newDataKey(): Buffer {
  return randomBytes(KEY_BYTES);
}

/** A cipher made from raw bytes costs four times one made from a key object (Node 24). */
const prepared = (key: Uint8Array | KeyObject): KeyObject => (key instanceof KeyObject ? key : createSecretKey(key));

/** nonce | tag | ciphertext. */
export function encrypt(key: Uint8Array | KeyObject, plain: Uint8Array, place: string): Buffer {
  const box = Buffer.allocUnsafe(BOX_OVERHEAD_BYTES + plain.length);
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', prepared(key), nonce, { authTagLength: TAG_BYTES }).setAAD(
    Buffer.from(place),
  );
  const body = cipher.update(plain);
  cipher.final();
  box.set(nonce, 0);
  box.set(cipher.getAuthTag(), NONCE_BYTES);
  box.set(body, BOX_OVERHEAD_BYTES);
  return box;
}

/** Opens what `encrypt` made for the same place. Throws BLOCK_CORRUPT naming `what`. */
export function decrypt(key: Uint8Array | KeyObject, box: Uint8Array, place: string, what: string): Buffer {
  try {
    const decipher = createDecipheriv('aes-256-gcm', prepared(key), box.subarray(0, NONCE_BYTES), {
      authTagLength: TAG_BYTES,
    })
      .setAAD(Buffer.from(place))
      .setAuthTag(box.subarray(NONCE_BYTES, BOX_OVERHEAD_BYTES));
    const plain = decipher.update(box.subarray(BOX_OVERHEAD_BYTES));
    decipher.final();
    return plain;
  } catch (cause) {
    throw new AppError('BLOCK_CORRUPT', { cause, details: { block: what } });
  }
}

export function wrapKey(ring: MasterRing, dataKey: Uint8Array, place: string): WrappedKey {
  const current = ring.keys[0]!;
  return { kid: current.id, key: encrypt(current.key, dataKey, keyPlace(place)) };
}

/**
 * Throws BLOCK_KEY_MISSING naming `what` when the key was shredded, MASTER_KEY_MISSING when the ring does not have the master key that wrapped it (who takes
 * the one for the other gives up what is only locked), BLOCK_CORRUPT when that one does not open it.
 */
export function unwrapKey(ring: MasterRing, wrapped: WrappedKey | undefined, place: string, what: string): Buffer {
  if (wrapped === undefined) throw new AppError('BLOCK_KEY_MISSING', { details: { block: what } });
  const master = ring.keys.find((candidate) => candidate.id === wrapped.kid);
  if (master === undefined) throw masterKeyMissing([wrapped.kid], what);
  return decrypt(master.key, wrapped.key, keyPlace(place), what);
}

/** Wraps a data key anew under the current master key, whatever wrapped it. Throws as `unwrapKey`. */
export function rewrapKey(ring: MasterRing, wrapped: WrappedKey, place: string, what: string): WrappedKey {
  return wrapKey(ring, unwrapKey(ring, wrapped, place, what), place);
}

const keyPlace = (place: string): string => `key\0${place}`;

export function masterKeyMissing(ids: readonly string[], what: string): AppError {
  return new AppError('MASTER_KEY_MISSING', {
    message: `${what} is encrypted under master key ${ids.join(', ')}, which this process does not have.`,
    details: { keyIds: ids, what },
  });
}

/** A purpose's own key derived from a longer-lived one, so that no key serves two ends. */
export function deriveKey(key: Uint8Array, purpose: string): Buffer {
  return hash('sha256', Buffer.concat([Buffer.from(`millrace\0${purpose}\0`), key]), 'buffer');
}
