/**
 * Owns what people have said about purposes and sources, as one number each, so that applying records is commutative and
 * idempotent: value = 2 * (at + 1) + (withdrawn ? 1 : 0), and the larger one holds. The later word wins; at the same moment the withdrawal.
 * -1: nothing was said. ~40 bytes a person for records that cover every source.
 *
 * The licence of a data set is nobody's word: it stands only where the person has said nothing, whatever the times, and one that
 * was withdrawn stays so until the person speaks. Its values are 0 and 1, below everything that a person can say.
 */
import { type ConsentBasis, PURPOSES, type Purpose } from '../contract-kit/purposes.ts';
import { KeyTable } from '../store/blocks/key-table.ts';

/** The source that covers every source. */
export const EVERY_SOURCE = '*';

export interface ConsentChange {
  readonly subject: Uint8Array;
  readonly purposes: readonly Purpose[];
  readonly source: string;
  readonly withdrawn: boolean;
  readonly basis: ConsentBasis;
  /** When the person said so, ms since 1970, a whole number >= 0. */
  readonly at: number;
}

const WIDTH = PURPOSES.length;
const PURPOSE_CODES = new Map<Purpose, number>(PURPOSES.map((purpose, code) => [purpose, code]));

/** Words of people begin at 2, also those of the moment 0. */
function valueOf({ basis, at, withdrawn }: ConsentChange): number {
  return (basis === 'dataset-licence' ? 0 : 2 * (at + 1)) + (withdrawn ? 1 : 0);
}

/** A name for a person that nobody can go back from: what is kept of who was erased. */
export type MarkOf = (subject: Uint8Array) => string;

const [UNCHECKED, FREE, ERASED] = [0, 1, 2];

export class ConsentState {
  readonly #markOf: MarkOf;
  #subjects = new KeyTable();
  /** Marks of the people who were erased, and whether each subject, by its number, is one of them. */
  #erased = new Set<string>();
  #checked: Uint8Array = new Uint8Array(0);
  /** Per source: WIDTH values a subject, by the subject's number. */
  #sources = new Map<string, Float64Array>();

  constructor(markOf: MarkOf) {
    this.#markOf = markOf;
  }

  get people(): number {
    return this.#subjects.size;
  }

  erasedMarks(): ReadonlySet<string> {
    return new Set(this.#erased);
  }

  copy(): ConsentState {
    const twin = new ConsentState(this.#markOf);
    twin.#subjects = this.#subjects.copy();
    twin.#erased = new Set(this.#erased);
    twin.#checked = this.#checked.slice();
    twin.#sources = new Map([...this.#sources].map(([source, values]) => [source, values.slice()]));
    return twin;
  }

  apply(change: ConsentChange): void {
    const number = this.#subjects.add(change.subject);
    const values = this.#valuesFor(change.source, number);
    const value = valueOf(change);
    for (const purpose of change.purposes) {
      const at = number * WIDTH + PURPOSE_CODES.get(purpose)!;
      values[at] = Math.max(values[at]!, value);
    }
  }

  /** The person is erased: whatever was said, or is said until they come back, is nothing. */
  erase(mark: string): void {
    this.#erased.add(mark);
    this.#checked = new Uint8Array(0);
  }

  /** The person has come back. What they said before is gone: they are asked anew. */
  readmit(mark: string): void {
    if (!this.#erased.delete(mark)) return;
    const number = this.#numberOf(mark);
    if (number >= 0) for (const values of this.#sources.values()) this.#forget(values, number);
    this.#checked = new Uint8Array(0);
  }

  #forget(values: Float64Array, number: number): void {
    if (values.length > number * WIDTH) values.fill(-1, number * WIDTH, (number + 1) * WIDTH);
  }

  isErased(subject: Uint8Array): boolean {
    if (this.#erased.size === 0) return false;
    const number = this.#subjects.find(subject);
    if (number < 0) return this.#erased.has(this.#markOf(subject));
    if (this.#checked.length <= number) this.#checked = grown(this.#checked, this.#subjects.size);
    if (this.#checked[number] === UNCHECKED)
      this.#checked[number] = this.#erased.has(this.#markOf(subject)) ? ERASED : FREE;
    return this.#checked[number] === ERASED;
  }

  /** The subject key behind a mark, of a person of whom something is known here. One pass over all of them. */
  subjectOf(mark: string): Uint8Array | undefined {
    const number = this.#numberOf(mark);
    return number < 0 ? undefined : this.#subjects.keyAt(number);
  }

  #numberOf(mark: string): number {
    for (let number = 0; number < this.#subjects.size; number++)
      if (this.#markOf(this.#subjects.keyAt(number)) === mark) return number;
    return -1;
  }

  allows(subject: Uint8Array, purpose: Purpose, source: string): boolean {
    const number = this.#subjects.find(subject);
    if (number < 0 || this.isErased(subject)) return false;
    const at = number * WIDTH + PURPOSE_CODES.get(purpose)!;
    const said = Math.max(this.#sources.get(source)?.[at] ?? -1, this.#sources.get(EVERY_SOURCE)?.[at] ?? -1);
    return said >= 0 && said % 2 === 0;
  }

  #valuesFor(source: string, number: number): Float64Array {
    const values = this.#sources.get(source);
    if (values !== undefined && values.length > number * WIDTH) return values;
    const grown = new Float64Array(Math.max(64, 2 * (number + 1)) * WIDTH).fill(-1);
    if (values !== undefined) grown.set(values);
    this.#sources.set(source, grown);
    return grown;
  }
}

function grown(checked: Uint8Array, size: number): Uint8Array {
  const larger = new Uint8Array(Math.max(64, 2 * size));
  larger.set(checked);
  return larger;
}
