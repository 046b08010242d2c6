/**
 * Owns finding entity keys: 16-byte keys to dense numbers, by open addressing, and the order of keys by their bytes.
 * Keys are hashes already, so that their own first bytes spread them; an index holds its keys contiguously and no objects.
 */
import { KEY_BYTES } from '../types.ts';

/** Bound on entities of one index: offsets in bytes stay within what a typed array can hold. */
const ENTITIES_MAX = 2 ** 27;

export function sharedBytes(length: number): Uint8Array<SharedArrayBuffer> {
  return new Uint8Array(new SharedArrayBuffer(length));
}

/** Negative, 0 or positive, by bytes. */
export function compareKeys(a: Uint8Array, aAt: number, b: Uint8Array, bAt: number): number {
  for (let n = 0; n < KEY_BYTES; n++) {
    const difference = a[aAt * KEY_BYTES + n]! - b[bAt * KEY_BYTES + n]!;
    if (difference !== 0) return difference;
  }
  return 0;
}

/** True when all bytes of the key are 0, which marks an absent item. */
export function isAbsent(keys: Uint8Array, at: number): boolean {
  for (let n = at * KEY_BYTES; n < (at + 1) * KEY_BYTES; n++) if (keys[n] !== 0) return false;
  return true;
}

function hashAt(keys: Uint8Array, at: number): number {
  const o = at * KEY_BYTES;
  const low = keys[o]! | (keys[o + 1]! << 8) | (keys[o + 2]! << 16) | (keys[o + 3]! << 24);
  const high = keys[o + 8]! | (keys[o + 9]! << 8) | (keys[o + 10]! << 16) | (keys[o + 11]! << 24);
  const h = Math.imul(low ^ Math.imul(high, 0x9e3779b1), 0x85ebca6b);
  return (h ^ (h >>> 15)) >>> 0;
}

/** Distinct keys in order of arrival. Expected O(1) a call. */
export class KeyIndex {
  #slots: Int32Array;
  #keys: Uint8Array;
  #size = 0;

  constructor(expected = 1024) {
    const slots = 2 ** Math.ceil(Math.log2(Math.max(16, expected * 2)));
    this.#slots = new Int32Array(slots).fill(-1);
    this.#keys = new Uint8Array(Math.max(16, expected) * KEY_BYTES);
  }

  /** An index of distinct keys, numbered as they lie. */
  static of(keys: Uint8Array): KeyIndex {
    const count = keys.length / KEY_BYTES;
    const index = new KeyIndex(count);
    for (let n = 0; n < count; n++) index.add(keys, n);
    return index;
  }

  get size(): number {
    return this.#size;
  }

  /** The number of the key at `at`, or -1. */
  find(keys: Uint8Array, at: number): number {
    return this.#slots[this.#slotOf(keys, at)]!;
  }

  /** The number of the key at `at`, given now if it is new. */
  add(keys: Uint8Array, at: number): number {
    const slot = this.#slotOf(keys, at);
    const there = this.#slots[slot]!;
    if (there >= 0) return there;
    if (this.#size >= ENTITIES_MAX) throw new RangeError(`more than ${ENTITIES_MAX} distinct keys`);
    const number = this.#size++;
    if (this.#size * KEY_BYTES > this.#keys.length) this.#grow();
    this.#keys.set(keys.subarray(at * KEY_BYTES, (at + 1) * KEY_BYTES), number * KEY_BYTES);
    this.#slots[slot] = number;
    if (this.#size * 2 > this.#slots.length) this.#rehash();
    return number;
  }

  /** The keys, in order of their numbers. */
  keys(): Uint8Array {
    return this.#keys.subarray(0, this.#size * KEY_BYTES);
  }

  /** Numbers in the order of their keys' bytes. O(n log n). */
  sorted(): Int32Array {
    return Int32Array.from({ length: this.#size }, (_, n) => n).sort((a, b) =>
      compareKeys(this.#keys, a, this.#keys, b),
    );
  }

  #slotOf(keys: Uint8Array, at: number): number {
    const mask = this.#slots.length - 1;
    let slot = hashAt(keys, at) & mask;
    for (;;) {
      const there = this.#slots[slot]!;
      if (there < 0 || compareKeys(this.#keys, there, keys, at) === 0) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #grow(): void {
    const larger = new Uint8Array(this.#keys.length * 2);
    larger.set(this.#keys);
    this.#keys = larger;
  }

  #rehash(): void {
    this.#slots = new Int32Array(this.#slots.length * 2).fill(-1);
    for (let n = 0; n < this.#size; n++) this.#slots[this.#slotOf(this.#keys, n)] = n;
  }
}
