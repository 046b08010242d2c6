/**
 * Owns the one place where what several sources say of a person becomes one figure. Whoever makes a feature of amounts adds them up source by source
 * here and asks for the total; how far a source may move a total is decided in `combineSources` and nowhere else.
 */

/** One figure of what each source contributed. */
export function combineSources(contributions: Float64Array): number {
  let total = 0;
  for (const contribution of contributions) total += contribution;
  return total;
}

/** Sums of several measures by source, for one person after the other. */
export class SourceSums {
  readonly #sources: number;
  readonly #sums: Float64Array;

  constructor(measures: number, sources: number) {
    this.#sources = sources;
    this.#sums = new Float64Array(measures * sources);
  }

  clear(): void {
    this.#sums.fill(0);
  }

  add(measure: number, source: number, amount: number): void {
    this.#sums[measure * this.#sources + source]! += amount;
  }

  total(measure: number): number {
    return combineSources(this.#sums.subarray(measure * this.#sources, (measure + 1) * this.#sources));
  }
}
