/** Owns "did you mean": the known name nearest to a mistyped one. */

/** Levenshtein distance of two short texts; O(length x length). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}

/** Longest name that is compared; longer ones are compared by their beginning. */
const NAME_CHARS_MAX = 60;

/** The known name nearest to `name` without regard to case and punctuation; `known` must not be empty. */
export function nearestName<T extends string>(name: string, known: readonly [T, ...T[]]): T {
  const plain = (text: string): string =>
    text
      .toLowerCase()
      .replaceAll(/[^a-z0-9]/g, '')
      .slice(0, NAME_CHARS_MAX);
  const wanted = plain(name);
  let best: T = known[0];
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const candidate of known) {
    const candidateDistance = distance(wanted, plain(candidate));
    if (candidateDistance >= bestDistance) continue;
    best = candidate;
    bestDistance = candidateDistance;
  }
  return best;
}
