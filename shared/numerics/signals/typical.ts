/**
 * Owns making acts of several platforms and times count alike: an act of a source and window counts as `usual / typical`, where typical is
 * what the median person active there does in such a window, and usual is the same for all. The median of logarithms is the
 * logarithm of the median, so this is robust scaling on the scale on which counting twice as much is a shift: what a platform multiplies its counts
 * by falls out, and half of its people would have to be made up to move it.
 *
 * Windows go back from the moment asked about, so the newest is whole; the oldest takes what is left over, and its figures are rates.
 */
import { GROUP_MIN, scaleOf } from './robust-scale.ts';

/** Raised when an act counts differently; kept with every version that was made by it. */
export const NORMALISATION_VERSION = 1;
export const WINDOW_DAYS = 30;
/** Older acts than so many windows share the last one. */
const WINDOWS_MAX = 60;
const WINDOW_MS = WINDOW_DAYS * 86_400_000;

/** Acts of one person by source and window go in, person by person; out comes how much an act of each counts. */
export class TypicalActivity {
  readonly #asOf: number;
  /** By source: how many windows there are, and how many window lengths the oldest spans. */
  readonly #windows: readonly { readonly count: number; readonly oldest: number }[];
  readonly #figures = new Map<number, number[]>();
  readonly #own = new Map<number, number>();

  /** `earliest`: the first act of each source that counts; Infinity: none. */
  constructor(asOf: number, earliest: ArrayLike<number>) {
    this.#asOf = asOf;
    this.#windows = Array.from(earliest, (first) => {
      const spans = Number.isFinite(first) ? (asOf - first) / WINDOW_MS : 0;
      const count = Math.min(WINDOWS_MAX, Math.max(1, Math.floor(spans)));
      return { count, oldest: Math.max(1, spans - count + 1) };
    });
  }

  /** Number of the (source, window) that an act belongs to. */
  groupOf(source: number, occurredAt: number): number {
    const window = Math.floor((this.#asOf - occurredAt) / WINDOW_MS);
    return source * WINDOWS_MAX + Math.min(window, this.#windows[source]!.count - 1);
  }

  /** An act of the person at hand. */
  add(group: number): void {
    this.#own.set(group, (this.#own.get(group) ?? 0) + 1);
  }

  /** The person at hand is done. */
  next(): void {
    for (const [group, acts] of this.#own) {
      const { count, oldest } = this.#windows[Math.floor(group / WINDOWS_MAX)]!;
      const rate = group % WINDOWS_MAX === count - 1 ? acts / oldest : acts;
      const figures = this.#figures.get(group);
      if (figures === undefined) this.#figures.set(group, [rate]);
      else figures.push(rate);
    }
    this.#own.clear();
  }

  /** How much an act of each group counts. A window with few people is placed by all of its source; a source with few counts as it is. */
  weights(): Map<number, number> {
    const typical = new Map<number, number>();
    const first: number[] = [];
    for (const source of this.#windows.keys()) {
      const groups = [...this.#figures.keys()].filter((group) => Math.floor(group / WINDOWS_MAX) === source);
      const all = Float64Array.from(groups.flatMap((group) => this.#figures.get(group)!));
      if (all.length < GROUP_MIN) continue;
      const whole = scaleOf(all).median;
      // From the oldest on: what a platform does later moves no act of before.
      for (const group of groups.sort((a, b) => b - a)) {
        const own = this.#figures.get(group)!;
        typical.set(group, own.length < GROUP_MIN ? whole : scaleOf(Float64Array.from(own)).median);
      }
      const oldest = groups.find((group) => this.#figures.get(group)!.length >= GROUP_MIN);
      first.push(oldest === undefined ? whole : typical.get(oldest)!);
    }
    const usual = first.sort((a, b) => a - b)[(first.length - 1) >> 1];
    return new Map([...this.#figures.keys()].map((group) => [group, weightOf(usual, typical.get(group))]));
  }
}

const weightOf = (usual: number | undefined, typical: number | undefined): number =>
  usual === undefined || typical === undefined ? 1 : usual / typical;
