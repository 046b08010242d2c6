/** Owns explaining what a prototype stands for: the titles whose vectors are nearest to it. Items * prototypes * dimensions multiply-adds. */
import type { FittedDense } from './dense-fit.ts';

export interface ExplainedPrototype {
  readonly prototype: number;
  /** Nearest first; the cosine. */
  readonly nearest: readonly { readonly title: string; readonly similarity: number }[];
}

/** Item prototypes (variants `I` and `UI`); none for other models. */
export function nearestTitles({ tables }: FittedDense, titles: readonly string[], most: number): ExplainedPrototype[] {
  const [items, prototypes] = [tables['items'], tables['itemPrototypes']];
  if (items === undefined || prototypes === undefined) return [];
  const unit = ({ values, width }: { readonly values: Float32Array; readonly width: number }, row: number) => {
    const own = values.subarray(row * width, (row + 1) * width);
    const length = Math.sqrt(own.reduce((sum, value) => sum + value * value, 0));
    return own.map((value) => (length === 0 ? 0 : value / length));
  };
  const rows = titles.map((_, item) => unit(items, item));
  return Array.from({ length: prototypes.rows }, (_, prototype) => {
    const own = unit(prototypes, prototype);
    const nearest = rows
      .map((row, item) => ({
        title: titles[item]!,
        similarity: row.reduce((sum, value, d) => sum + value * own[d]!, 0),
      }))
      .sort((a, b) => b.similarity - a.similarity)
      .slice(0, most);
    return { prototype, nearest };
  });
}
