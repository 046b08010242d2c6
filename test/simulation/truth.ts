/**
 * Owns what people have said, kept apart from everything that is judged by it: for each person, purpose and source the moments at which it was allowed. It
 * knows the rules of docs/privacy.md and shares no code with what keeps them.
 */
import type { ConsentRecord } from '../../shared/contract-kit/event.ts';
import { PURPOSES, type Purpose } from '../../shared/contract-kit/purposes.ts';

interface Word {
  readonly purpose: Purpose;
  readonly source: string;
  readonly isGiven: boolean;
  readonly at: number;
  /** Run that recorded it. */
  readonly by: string;
}

interface Person {
  words: Word[];
  isErased: boolean;
  /** By `purpose.source`: since which step, and whether it was allowed from then on. */
  readonly timeline: Map<string, { readonly step: number; readonly allowed: boolean }[]>;
}

export class Truth {
  readonly #people = new Map<string, Person>();
  readonly #recorded = new Set<string>();
  readonly sources: readonly string[];

  constructor(sources: readonly string[]) {
    this.sources = sources;
  }

  #of(user: string): Person {
    let person = this.#people.get(user);
    if (person === undefined) this.#people.set(user, (person = { words: [], isErased: false, timeline: new Map() }));
    return person;
  }

  /** Those words of a run that say so. They count once, however often it says them. */
  record(step: number, runKey: string, records: readonly ConsentRecord[], which: ConsentRecord['state']): void {
    if (!this.#isFirst(runKey, which)) return;
    for (const { user, purposes, source, state, at } of records) {
      if (state !== which) continue;
      const person = this.#of(user);
      if (person.isErased) continue;
      for (const purpose of purposes)
        person.words.push({ purpose, source, isGiven: state === 'given', at, by: runKey });
      this.#note(user, step);
    }
  }

  /** An act counts once, as words do. */
  #isFirst(runKey: string, act: string): boolean {
    const isFirst = !this.#recorded.has(`${runKey} ${act}`);
    this.#recorded.add(`${runKey} ${act}`);
    return isFirst;
  }

  erase(step: number, runKey: string, user: string): void {
    if (!this.#isFirst(runKey, 'erase')) return;
    this.#of(user).isErased = true;
    this.#note(user, step);
  }

  /** What was said before is gone. */
  readmit(step: number, runKey: string, user: string): void {
    if (!this.#isFirst(runKey, 'readmit')) return;
    const person = this.#of(user);
    if (!person.isErased) return;
    person.isErased = false;
    person.words = [];
    this.#note(user, step);
  }

  isErased(user: string): boolean {
    return this.#of(user).isErased;
  }

  /** Who said last that a purpose is allowed for a source or is not; of two words of one moment the withdrawal. */
  #last(person: Person, purpose: Purpose, source: string): Word | undefined {
    let last: Word | undefined;
    for (const word of person.words) {
      if (word.purpose !== purpose || (word.source !== source && word.source !== '*')) continue;
      if (last === undefined || word.at > last.at || (word.at === last.at && !word.isGiven)) last = word;
    }
    return last;
  }

  #note(user: string, step: number): void {
    const person = this.#of(user);
    for (const purpose of PURPOSES)
      for (const source of this.sources) {
        const allowed = !person.isErased && this.#last(person, purpose, source)?.isGiven === true;
        const name = `${purpose}.${source}`;
        const line = person.timeline.get(name) ?? [];
        if (line.at(-1)?.allowed !== allowed) line.push({ step, allowed });
        person.timeline.set(name, line);
      }
  }

  /** Whether it was allowed at any moment of a stretch, both ends among it. */
  allowed(user: string, purpose: Purpose, source: string, from: number, to: number): boolean {
    const line = this.#of(user).timeline.get(`${purpose}.${source}`) ?? [];
    return line.some(({ step, allowed }, n) => allowed && step <= to && (line[n + 1]?.step ?? Infinity) > from);
  }

  /** Whether the words that now forbid each of the purposes for a source were all said in an act of these runs. */
  isForbiddenBy(user: string, purposes: readonly Purpose[], source: string, isAct: (run: string) => boolean): boolean {
    const person = this.#of(user);
    if (person.isErased) return false;
    const last = purposes.map((purpose) => this.#last(person, purpose, source));
    return last.every((word) => word?.isGiven !== true) && last.some((word) => word !== undefined && isAct(word.by));
  }
}
