/**
 * Owns a set of 16-byte keys that gives each a dense number in order of arrival: what de-duplication and canonical order stand on.
 * Open addressing over typed arrays, 16 bytes a key plus 4-8 bytes a slot; a Set of strings takes about five times as much.
 */
import { ENTITY_KEY_BYTES } from '../../governance/keys.ts';

const WORDS = ENTITY_KEY_BYTES / 4;
const CAPACITY_MIN = 16;

const wordAt = (bytes: Uint8Array, at: number): number =>
  ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;

export class KeyTable {
  /** Big-endian words, so that comparing words compares bytes. */
  #words: Uint32Array;
  /** Number of a key + 1; 0 is a free slot. A power of two, at most 3/4 full. */
  #slots: Int32Array;
  #size = 0;

  constructor(capacity = CAPACITY_MIN) {
    this.#words = new Uint32Array(Math.max(capacity, CAPACITY_MIN) * WORDS);
    this.#slots = new Int32Array(slotsFor(Math.max(capacity, CAPACITY_MIN)));
  }

  get size(): number {
    return this.#size;
  }

  get bytes(): number {
    return this.#words.byteLength + this.#slots.byteLength;
  }

  /** The number of the key at `offset`, or -1. */
  find(bytes: Uint8Array, offset = 0): number {
    return this.#slots[this.#slotOf(bytes, offset)]! - 1;
  }

  /** Puts the key in if it is new. Returns its number; new exactly when `size` grew. */
  add(bytes: Uint8Array, offset = 0): number {
    const slot = this.#slotOf(bytes, offset);
    const found = this.#slots[slot]!;
    if (found !== 0) return found - 1;
    if ((this.#size + 1) * WORDS > this.#words.length) this.#growWords();
    const number = this.#size++;
    for (let w = 0; w < WORDS; w++) this.#words[number * WORDS + w] = wordAt(bytes, offset + 4 * w);
    this.#slots[slot] = number + 1;
    if (this.#size * 4 > this.#slots.length * 3) this.#growSlots();
    return number;
  }

  /** The bytes of the key of that number. */
  keyAt(number: number): Uint8Array {
    const key = new Uint8Array(ENTITY_KEY_BYTES);
    const view = new DataView(key.buffer);
    for (let w = 0; w < WORDS; w++) view.setUint32(4 * w, this.#words[number * WORDS + w]!);
    return key;
  }

  /** rank[number] = place of that key in the order of the keys' bytes. */
  ranks(): Uint32Array {
    const order = new Uint32Array(this.#size).map((_, number) => number).sort((a, b) => this.#compare(a, b));
    const ranks = new Uint32Array(this.#size);
    for (let place = 0; place < order.length; place++) ranks[order[place]!] = place;
    return ranks;
  }

  copy(): KeyTable {
    const twin = new KeyTable();
    twin.#words = this.#words.slice();
    twin.#slots = this.#slots.slice();
    twin.#size = this.#size;
    return twin;
  }

  #compare(a: number, b: number): number {
    for (let w = 0; w < WORDS; w++) {
      const difference = this.#words[a * WORDS + w]! - this.#words[b * WORDS + w]!;
      if (difference !== 0) return difference;
    }
    return 0;
  }

  #slotOf(bytes: Uint8Array, offset: number): number {
    const a = wordAt(bytes, offset);
    const b = wordAt(bytes, offset + 4);
    const c = wordAt(bytes, offset + 8);
    const d = wordAt(bytes, offset + 12);
    const words = this.#words;
    const mask = this.#slots.length - 1;
    for (let slot = slotHash(a, b, c, d) & mask; ; slot = (slot + 1) & mask) {
      const number = this.#slots[slot]! - 1;
      if (number < 0) return slot;
      const at = number * WORDS;
      if (words[at] === a && words[at + 1] === b && words[at + 2] === c && words[at + 3] === d) return slot;
    }
  }

  #growWords(): void {
    const grown = new Uint32Array(this.#words.length * 2);
    grown.set(this.#words);
    this.#words = grown;
  }

  #growSlots(): void {
    const slots = new Int32Array(this.#slots.length * 2);
    const mask = slots.length - 1;
    for (let number = 0; number < this.#size; number++) {
      const at = number * WORDS;
      const [a, b, c, d] = this.#words.subarray(at, at + WORDS) as unknown as [number, number, number, number];
      let slot = slotHash(a, b, c, d) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = number + 1;
    }
    this.#slots = slots;
  }
}

function slotsFor(keys: number): number {
  let slots = 32;
  while (slots * 3 < keys * 4) slots *= 2;
  return slots;
}

/** Keys are hashes already in practice; the mixing keeps other keys (tests, foreign ids) from clustering. */
function slotHash(a: number, b: number, c: number, d: number): number {
  let h = Math.imul(a ^ (a >>> 15), 0x85ebca6b) ^ Math.imul(b + 0x9e3779b9, 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 13) ^ c, 0x27d4eb2f) ^ Math.imul(d + 0x165667b1, 0x85ebca6b);
  return (h ^ (h >>> 16)) >>> 0;
}
