/**
 * Owns what people have said about purposes and sources, as one number each, so that applying records is commutative and
 * idempotent: value = 2 * (at + 1) + (withdrawn ? 1 : 0), and the larger one holds. The later word wins; at the same moment the withdrawal.
 * -1: nothing was said. ~40 bytes a person for records that cover every source.
 *
 * The licence of a data set is nobody's word: it stands only where the person has said nothing, whatever the times, and one that
 * was withdrawn stays so until the person speaks. Its values are 0 and 1, below everything that a person can say.
 *
 * A consent may have an end. It is looked at by the clock of whoever asks, so that what has ended is refused without anybody having said so.
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
  /** Of a consent that is given for a time: when it ends, ms since 1970. */
  readonly until?: number;
}

/** A consent that ends by itself. */
interface End {
  readonly until: number;
  readonly person: number;
  readonly purpose: number;
  readonly source: string;
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
  /** Per source, where one has an end at all: beside each value when it ends; 0: never. */
  #untils = new Map<string, Float64Array>();
  /** Every end that was ever named, in order of time once sorted. */
  #ends: End[] = [];
  #isSorted = true;

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
    twin.#sources = copied(this.#sources);
    twin.#untils = copied(this.#untils);
    twin.#ends = [...this.#ends];
    twin.#isSorted = this.#isSorted;
    return twin;
  }

  apply(change: ConsentChange): void {
    const number = this.#subjects.add(change.subject);
    const values = grownFor(this.#sources, change.source, number, UNSAID);
    const value = valueOf(change);
    for (const purpose of change.purposes) {
      const at = number * WIDTH + PURPOSE_CODES.get(purpose)!;
      if (value < values[at]!) continue;
      this.#endAt(change, number, PURPOSE_CODES.get(purpose)!, value > values[at]!);
      values[at] = value;
    }
  }

  /** Of two consents of one moment the one that ends first holds, whichever comes first. */
  #endAt({ source, withdrawn, until }: ConsentChange, person: number, purpose: number, isNewer: boolean): void {
    const end = withdrawn ? undefined : until;
    if (end === undefined && !this.#untils.has(source)) return;
    const ends = grownFor(this.#untils, source, person, NEVER);
    const at = person * WIDTH + purpose;
    const before = ends[at]!;
    if (end === undefined) {
      if (isNewer) ends[at] = NEVER;
      return;
    }
    if (!isNewer && before !== NEVER && before <= end) return;
    ends[at] = end;
    this.#ends.push({ until: end, person, purpose, source });
    this.#isSorted = false;
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
    if (number >= 0) {
      for (const values of this.#sources.values()) forget(values, number, UNSAID);
      for (const values of this.#untils.values()) forget(values, number, NEVER);
    }
    this.#checked = new Uint8Array(0);
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

  allows(subject: Uint8Array, purpose: Purpose, source: string, nowMs: number): boolean {
    return this.#standing(subject, purpose, source, nowMs) === 'given';
  }

  /** The person had consented, for a time that is over. */
  hasEnded(subject: Uint8Array, purpose: Purpose, source: string, nowMs: number): boolean {
    return this.#standing(subject, purpose, source, nowMs) === 'ended';
  }

  /** Sources about which the person has said something, `*` among them. */
  sourcesOf(subject: Uint8Array): string[] {
    const number = this.#subjects.find(subject);
    if (number < 0) return [];
    const said = [...this.#sources].filter(([, values]) => isSaid(values, number));
    return said.map(([source]) => source);
  }

  /** People whose consent to one of the purposes ended after `sinceMs` and by `nowMs`, and who have not given it anew. */
  endedBetween(sinceMs: number, nowMs: number, purposes: readonly Purpose[]): Uint8Array[] {
    if (!this.#isSorted) this.#ends.sort((a, b) => a.until - b.until);
    this.#isSorted = true;
    const asked = new Set(purposes.map((purpose) => PURPOSE_CODES.get(purpose)!));
    const ended = new Set<number>();
    for (let n = firstAfter(this.#ends, sinceMs); n < this.#ends.length && this.#ends[n]!.until <= nowMs; n++) {
      const { person, purpose, source } = this.#ends[n]!;
      if (!asked.has(purpose) || ended.has(person)) continue;
      if (!this.allows(this.#subjects.keyAt(person), PURPOSES[purpose]!, source, nowMs)) ended.add(person);
    }
    return [...ended].map((person) => this.#subjects.keyAt(person));
  }

  #standing(
    subject: Uint8Array,
    purpose: Purpose,
    source: string,
    nowMs: number,
  ): 'given' | 'ended' | 'withdrawn' | 'unsaid' {
    const number = this.#subjects.find(subject);
    if (number < 0 || this.isErased(subject)) return 'unsaid';
    const at = number * WIDTH + PURPOSE_CODES.get(purpose)!;
    const [own, general] = [this.#sources.get(source)?.[at] ?? UNSAID, this.#sources.get(EVERY_SOURCE)?.[at] ?? UNSAID];
    const said = Math.max(own, general);
    if (said < 0) return 'unsaid';
    if (said % 2 === 1) return 'withdrawn';
    // Both said at one moment: either of them still allows it.
    const stands = [
      [own, source],
      [general, EVERY_SOURCE],
    ] as const;
    return stands.some(([value, of]) => value === said && !isOver(this.#untils.get(of)?.[at], nowMs))
      ? 'given'
      : 'ended';
  }
}

const [UNSAID, NEVER] = [-1, 0];
const isOver = (until: number | undefined, nowMs: number): boolean =>
  until !== undefined && until !== NEVER && until <= nowMs;

const copied = (of: ReadonlyMap<string, Float64Array>): Map<string, Float64Array> =>
  new Map([...of].map(([source, values]) => [source, values.slice()]));

function isSaid(values: Float64Array, number: number): boolean {
  for (let at = number * WIDTH; at < (number + 1) * WIDTH; at++) if ((values[at] ?? UNSAID) !== UNSAID) return true;
  return false;
}

/** Index of the first end after a moment. */
function firstAfter(ends: readonly End[], ms: number): number {
  let [low, high] = [0, ends.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ends[middle]!.until <= ms) low = middle + 1;
    else high = middle;
  }
  return low;
}

function forget(values: Float64Array, number: number, blank: number): void {
  if (values.length > number * WIDTH) values.fill(blank, number * WIDTH, (number + 1) * WIDTH);
}

/** The values of a source, with room for the person. */
function grownFor(of: Map<string, Float64Array>, source: string, number: number, blank: number): Float64Array {
  const values = of.get(source);
  if (values !== undefined && values.length > number * WIDTH) return values;
  const grown = new Float64Array(Math.max(64, 2 * (number + 1)) * WIDTH).fill(blank);
  if (values !== undefined) grown.set(values);
  of.set(source, grown);
  return grown;
}

function grown(checked: Uint8Array, size: number): Uint8Array {
  const larger = new Uint8Array(Math.max(64, 2 * size));
  larger.set(checked);
  return larger;
}
