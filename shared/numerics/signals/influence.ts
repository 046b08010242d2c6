/**
 * Owns how much of an amount one source may make up. Sources are taken from the most trusted on; each adds at most its declared share of
 * what there is once it has added: amount <= share / (1 - share) * what the more trusted ones say together. So leaving such a source
 * out moves the amount by at most its share, however much it claims, and no source lowers an amount. The most trusted of those that say
 * anything are what the others are held against, and count whole: what nobody else speaks of is as its source says.
 */

/** Shares from here on are no cap. */
const WHOLE = 1;

/**
 * By which factor, 0 to 1, each source counts. `amounts`: what each source says, >= 0; `shares`: the most that each may make up, above 0 to 1.
 * Of equally trusted sources the one that says more goes first. O(k log k) in the sources that say anything.
 */
export function influenceFactors(
  amounts: ArrayLike<number>,
  shares: ArrayLike<number>,
  into: Float64Array = new Float64Array(amounts.length),
): Float64Array {
  const speaking: number[] = [];
  for (let source = 0; source < amounts.length; source++) {
    into[source] = 1;
    if (amounts[source]! > 0) speaking.push(source);
  }
  if (speaking.length < 2) return into;
  speaking.sort((a, b) => shares[b]! - shares[a]! || amounts[b]! - amounts[a]! || a - b);
  let total = amounts[speaking[0]!]!;
  for (const source of speaking.slice(1)) {
    const [share, amount] = [shares[source]!, amounts[source]!];
    const counted = share >= WHOLE ? amount : Math.min(amount, (share / (1 - share)) * total);
    into[source] = counted / amount;
    total += counted;
  }
  return into;
}
