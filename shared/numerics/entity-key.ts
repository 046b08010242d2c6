/** Owns the words that key an entity's draws. */
import { KEY_BYTES } from './types.ts';

/** The entity's key bytes as four 32-bit numbers (big-endian), or its dense id where there are no keys. */
export function entityKey(keys: Uint8Array | undefined, entity: number): number[] {
  if (keys === undefined) return [entity];
  const view = new DataView(keys.buffer, keys.byteOffset + entity * KEY_BYTES, KEY_BYTES);
  return [view.getUint32(0), view.getUint32(4), view.getUint32(8), view.getUint32(12)];
}
