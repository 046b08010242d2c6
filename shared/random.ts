/**
 * Owns keyed random streams: every draw is a pure function of (seed, purpose, keys, draw number), so that
 * leaving one person out changes nobody else's draws, and threads need no shared state.
 *
 * The generator is Philox-like in use (counter-based) and SplitMix32/Murmur3 finalised in form: two rounds
 * of the Murmur3 fmix32 over a running 2 x 32-bit state. Not for cryptography.
 * Sources: Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3" (SC 2011); Appleby, MurmurHash3 finaliser.
 */

const GOLDEN = 0x9e3779b9;

function mix(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** A 32-bit hash of a string (FNV-1a over UTF-16 code units, Murmur-finalised). */
export function hashText(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return mix(h) >>> 0;
}

/** A 32-bit hash of bytes. */
export function hashBytes(bytes: Uint8Array): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < bytes.length; i++) h = Math.imul(h ^ bytes[i]!, 0x01000193);
  return mix(h) >>> 0;
}

/** A stream of draws. Streams derived with different keys are independent for our purposes. */
export interface RandomStream {
  /** The next 32-bit unsigned integer. */
  uint32(): number;
  /** The next number in [0, 1) with 53 random bits. */
  uniform(): number;
  /** The next integer in [0, n), 1 <= n <= 2^32; unbiased. */
  below(n: number): number;
  /** The next standard normal draw (Box-Muller, one draw kept). */
  normal(): number;
  /** A stream of its own for `keys` under this one; does not consume draws. */
  derive(...keys: readonly (string | number)[]): RandomStream;
}

class KeyedStream implements RandomStream {
  readonly #a: number;
  readonly #b: number;
  #draw = 0;
  #spare: number | undefined;

  constructor(a: number, b: number) {
    this.#a = a;
    this.#b = b;
  }

  uint32(): number {
    const n = this.#draw++;
    return mix(mix(Math.imul(n, GOLDEN) + this.#a) ^ (this.#b + n)) >>> 0;
  }

  uniform(): number {
    return ((this.uint32() >>> 5) * 67108864 + (this.uint32() >>> 6)) / 9007199254740992;
  }

  below(n: number): number {
    if (!(n >= 1 && n <= 0x1_0000_0000)) throw new RangeError(`below(${n}): n must be in 1..2^32`);
    const limit = 0x1_0000_0000 - (0x1_0000_0000 % n);
    for (;;) {
      const draw = this.uint32();
      if (draw < limit) return draw % n;
    }
  }

  normal(): number {
    if (this.#spare !== undefined) {
      const spare = this.#spare;
      this.#spare = undefined;
      return spare;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    const angle = 2 * Math.PI * this.uniform();
    this.#spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  derive(...keys: readonly (string | number)[]): RandomStream {
    let { a, b } = { a: this.#a, b: this.#b };
    for (const key of keys) {
      const k = typeof key === 'string' ? hashText(key) : mix(key ^ mix(Math.floor(key / 0x1_0000_0000)));
      a = mix(a ^ k) + GOLDEN;
      b = mix(b + Math.imul(k, 0xc2b2ae35)) ^ a;
    }
    return new KeyedStream(a | 0, b | 0);
  }
}

/** The stream for (seed, purpose, keys). The same arguments always give the same draws. */
export function randomStream(seed: number, purpose: string, ...keys: readonly (string | number)[]): RandomStream {
  return new KeyedStream(mix(seed), mix(seed ^ GOLDEN)).derive(purpose, ...keys);
}

/** Shuffles in place (Fisher-Yates) and returns the array. */
export function shuffle<T>(values: T[], stream: RandomStream): T[] {
  for (let i = values.length - 1; i > 0; i--) {
    const j = stream.below(i + 1);
    [values[i], values[j]] = [values[j]!, values[i]!];
  }
  return values;
}
