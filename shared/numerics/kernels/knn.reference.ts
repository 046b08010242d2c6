/** Owns the slow, readable version of ./assembly/knn.ts, in float64 on a dense matrix. */

export interface ReferenceNeighbour {
  readonly item: number;
  readonly similarity: number;
}

/** For each column of `matrix` (rows are users) the best K others with similarity above 0: dot / (product of norms + shrink). */
export function neighboursReference(
  matrix: readonly (readonly number[])[],
  shrink: number,
  k: number,
): ReferenceNeighbour[][] {
  const items = matrix[0]?.length ?? 0;
  const dot = (a: number, b: number) => matrix.reduce((sum, row) => sum + row[a]! * row[b]!, 0);
  return Array.from({ length: items }, (_, item) =>
    Array.from({ length: items }, (_unused, other) => ({
      item: other,
      similarity: dot(item, other) / (Math.sqrt(dot(item, item) * dot(other, other)) + shrink),
    }))
      .filter((neighbour) => neighbour.item !== item && neighbour.similarity > 0)
      .sort((a, b) => b.similarity - a.similarity || a.item - b.item)
      .slice(0, k),
  );
}

/** A user's score for each item: sum over the user's items of weight * similarity from that item to it. */
export function neighbourScoresReference(
  row: readonly number[],
  neighbours: readonly (readonly ReferenceNeighbour[])[],
): number[] {
  const scores = row.map(() => 0);
  row.forEach((weight, item) => {
    for (const neighbour of neighbours[item]!) scores[neighbour.item]! += weight * neighbour.similarity;
  });
  return scores;
}
