/**
 * Owns counter-based draws inside kernels: each is a pure function of a key and a draw number, so threads share no state. The
 * same as ../draws.reference.ts, bit for bit.
 */

/** The Murmur3 finaliser. */
// @ts-ignore: decorator
@inline
export function mix(value: u32): u32 {
  let h = value;
  h = (h ^ (h >>> 16)) * 0x85ebca6b;
  h = (h ^ (h >>> 13)) * 0xc2b2ae35;
  return h ^ (h >>> 16);
}

/** 32 random bits for draw number t under `key`. */
// @ts-ignore: decorator
@inline
export function draw(key: u32, t: u32): u32 {
  return mix(mix(t * 0x9e3779b1 + key) ^ (key * 0x85ebca6b + t));
}

/** A whole number in [0, n) from 32 random bits; off from uniform by at most n / 2^32. */
// @ts-ignore: decorator
@inline
export function pick(bits: u32, n: i32): i32 {
  return <i32>((<u64>bits * <u64>n) >>> 32);
}

/**
 * A place in [from, from + size): uniform where `thresholds` is 0, else by the alias tables (Walker 1977), whose entries hold the
 * chance of staying, times 2^32, and the place to go to otherwise.
 */
// @ts-ignore: decorator
@inline
export function place(bits: u32, from: i32, size: i32, thresholds: usize, aliases: usize): i32 {
  const at = from + pick(bits, size);
  if (thresholds == 0) return at;
  const o = <usize>at << 2;
  return mix(bits ^ 0x5bd1e995) <= load<u32>(thresholds + o) ? at : load<i32>(aliases + o);
}

/** Whether `value` is among the ascending numbers [from, to) of `array`. */
export function contains(array: usize, from: i32, to: i32, value: i32): bool {
  let low = from, high = to;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (load<i32>(array + (<usize>middle << 2)) < value) low = middle + 1;
    else high = middle;
  }
  return low < to && load<i32>(array + (<usize>low << 2)) == value;
}

/** Shuffles records of `words` 32-bit words in place (Fisher-Yates). */
export function shuffleRecords(records: usize, count: i32, words: i32, key: u32): void {
  for (let n = count - 1; n > 0; n--) {
    const other = pick(draw(key, n), n + 1);
    let a = records + <usize>(n * words) * 4, b = records + <usize>(other * words) * 4;
    for (let w = 0; w < words; w++) {
      const kept = load<i32>(a);
      store<i32>(a, load<i32>(b));
      store<i32>(b, kept);
      a += 4;
      b += 4;
    }
  }
}
