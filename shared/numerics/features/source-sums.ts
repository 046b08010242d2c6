/**
 * Owns the one place where what several sources say of a person becomes one figure. Whoever makes a feature of amounts adds them up source by source
 * here and asks for the total; how far a source may move it is decided by `influenceFactors` and nowhere else.
 */
import { influenceFactors } from '../signals/influence.ts';

/** Sums of several measures by source, for one person after the other. */
export class SourceSums {
  readonly #sources: number;
  readonly #sums: Float64Array;
  readonly #shares: ArrayLike<number>;
  readonly #factors: Float64Array;

  /** `shares`: the most that each source may make up of a figure. */
  constructor(measures: number, shares: ArrayLike<number>) {
    this.#sources = shares.length;
    this.#shares = shares;
    this.#sums = new Float64Array(measures * this.#sources);
    this.#factors = new Float64Array(this.#sources);
  }

  clear(): void {
    this.#sums.fill(0);
  }

  add(measure: number, source: number, amount: number): void {
    this.#sums[measure * this.#sources + source]! += amount;
  }

  /**
   * What all sources say together. `by`: the measure, >= 0, that a source's share is taken of; of an average that is what it is an average
   * over, so that a source counts in it for as much as in its weight.
   */
  total(measure: number, by: number = measure): number {
    const [own, base] = [measure * this.#sources, by * this.#sources];
    const factors = influenceFactors(this.#sums.subarray(base, base + this.#sources), this.#shares, this.#factors);
    let total = 0;
    for (let source = 0; source < this.#sources; source++) total += factors[source]! * this.#sums[own + source]!;
    return total;
  }

  /** An average; 0 / 0: no value. */
  mean(above: number, below: number): number {
    return this.total(above, below) / this.total(below);
  }
}
