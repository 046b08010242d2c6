/**
 * Owns the judgement of a simulated world: what each attempt reads, writes and commits, against what people had said at that moment.
 *
 * 1. A signal that is read was allowed, for the purpose of the kind and the signal's source, at a moment of the attempt that reads it: never on the word of
 *    an earlier one.
 * 2. An event that goes in was allowed for a purpose of its source, at a moment of the attempt.
 * 3. What is committed to be served is about people who allowed it at a moment between its writing and the commit; what is not served and learned from
 *    somebody who had withdrawn by then is marked stale.
 * 4. At the end nothing is left of who is erased, and nothing of what an act of withdrawal left without any purpose.
 */
import type { Db } from 'mongodb';
import type { Contract } from '../../shared/contract-kit/define-job.ts';
import type { ConsentRecord } from '../../shared/contract-kit/event.ts';
import { PURPOSES, type Purpose } from '../../shared/contract-kit/purposes.ts';
import type { AdmittedEvents } from '../../shared/numerics/interactions/columns.ts';
import { sourceOf } from '../../shared/sources/registry.ts';
import type { CommitRequest, EventRow, SubjectKey } from '../../shared/store/ports.ts';
import { Truth } from './truth.ts';

const KEY_BYTES = 16;
const SUBJECT_HEX = 32;
/** What kinds serve, by the collection that it lies in. */
const SERVED: Readonly<Record<string, string>> = {
  segmentation: 'segments',
  'candidate-generation': 'candidates',
  asking: 'prompts',
};
/** Calls that make something which the commit may publish. */
const WRITES: ReadonlySet<string> = new Set([
  'versions.write',
  'served.writeCandidates',
  'served.writeSegments',
  'prompts.write',
]);

/** One attempt at a run, as far as it is judged. */
export interface Watched {
  readonly contract: Contract;
  readonly runKey: string;
  /** The moment it began. */
  readonly began: number;
  wroteAt: number;
  /** Its job was given to somebody else meanwhile: it works on without knowing. */
  isLost: boolean;
  /** `user|source` of what it has read. */
  readonly reads: Set<string>;
}

export interface Violation {
  readonly what: 'read' | 'accepted' | 'served' | 'unmarked' | 'left' | 'unreadable';
  readonly step: number;
  readonly run: string;
  readonly user: string;
  readonly details: string;
}

function blocksOf(call: string, answer: unknown): readonly string[] {
  const named = (list: unknown): string[] => (list as { readonly block: string }[]).map(({ block }) => block);
  if (call === 'events.prepare') return named((answer as { readonly parts: unknown }).parts);
  return call === 'versions.draft' ? named((answer as { readonly blocks: unknown }).blocks) : [];
}

export class Oracle {
  readonly truth: Truth;
  readonly violations: Violation[] = [];
  /** When somebody was put on the list of the erased, last. */
  readonly leftAt = new Map<string, number>();
  /** Blocks that attempts wrote which had lost their job: nobody names them, nobody reads them, and collection takes them away. */
  readonly orphans = new Set<string>();
  /** Signals that were judged: people and sources read, events taken in, documents served. */
  judged = 0;
  readonly #userOf: ReadonlyMap<string, string>;
  readonly #db: Db;
  readonly #now: () => number;

  constructor(db: Db, sources: readonly string[], userOf: ReadonlyMap<string, string>, now: () => number) {
    this.truth = new Truth(sources);
    this.#userOf = userOf;
    this.#db = db;
    this.#now = now;
  }

  accuse(what: Violation['what'], run: string, user: string, details: string): void {
    this.violations.push({ what, step: this.#now(), run, user, details });
  }

  #user(key: Uint8Array | string): string {
    const hex = typeof key === 'string' ? key : Buffer.from(key).toString('hex');
    return this.#userOf.get(hex) ?? hex;
  }

  /** A call of a port begins: whatever it allows may be seen from now on. */
  calling(call: string, given: readonly unknown[]): void {
    if (call === 'consents.record')
      this.truth.record(this.#now(), given[1] as string, given[2] as ConsentRecord[], 'given');
    else if (call === 'consents.readmit')
      this.truth.readmit(this.#now(), given[1] as string, this.#user(given[2] as SubjectKey));
  }

  /** It was done: whatever it forbids is seen from now on. */
  async called(attempt: Watched | undefined, call: string, given: readonly unknown[], answer: unknown): Promise<void> {
    const step = this.#now();
    if (call === 'consents.record')
      this.truth.record(step, given[1] as string, given[2] as ConsentRecord[], 'withdrawn');
    if (call === 'consents.erase') this.leftAt.set(this.#user(given[2] as SubjectKey), step);
    if (call === 'consents.erase') this.truth.erase(step, given[1] as string, this.#user(given[2] as SubjectKey));
    else if (call === 'consents.withdraw')
      this.truth.record(step, given[1] as string, [given[2] as ConsentRecord], 'withdrawn');
    if (attempt === undefined) return;
    if (call === 'events.prepare') this.#accepted(attempt, given[3] as readonly EventRow[]);
    if (WRITES.has(call)) attempt.wroteAt = step;
    if (attempt.isLost) for (const block of blocksOf(call, answer)) this.orphans.add(block);
    if (call === 'ledger.commit' && answer === true) await this.#committed(attempt, given[0] as CommitRequest);
  }

  /** Rows that an attempt hands to its threads. */
  read(attempt: Watched | undefined, { runs, sources, sourceNames, allowed }: AdmittedEvents): void {
    // Telling accounts from people is for nobody's purpose and learns nothing of anybody: see docs/privacy.md.
    if (attempt === undefined || attempt.contract.purposes.length === 0) return;
    const { contract, began, runKey, reads } = attempt;
    for (let s = 0; s < runs.subjects; s++)
      for (const [at, source] of sourceNames.entries()) {
        if (allowed[s * sources + at] !== 1) continue;
        const user = this.#user(runs.keys.slice(s * KEY_BYTES, (s + 1) * KEY_BYTES));
        if (reads.has(`${user}|${source}`)) continue;
        reads.add(`${user}|${source}`);
        this.judged += 1;
        const fits = (purpose: Purpose): boolean =>
          sourceOf(source).purposes.includes(purpose) && this.truth.allowed(user, purpose, source, began, this.#now());
        if (!contract.purposes.some(fits))
          this.accuse('read', runKey, user, `${contract.purposes.join()} of ${source}`);
      }
  }

  #accepted({ runKey, began }: Watched, rows: readonly EventRow[]): void {
    for (const { subject, source } of rows) {
      const user = this.#user(subject);
      this.judged += 1;
      const { purposes } = sourceOf(source);
      if (!purposes.some((purpose) => this.truth.allowed(user, purpose, source, began, this.#now())))
        this.accuse('accepted', runKey, user, source);
    }
  }

  async #committed(attempt: Watched, { version }: CommitRequest): Promise<void> {
    const { contract, runKey, wroteAt, reads } = attempt;
    if (version === undefined || contract.purposes.length === 0) return;
    const served = SERVED[contract.kind];
    if (served !== undefined) {
      for (const user of await this.#servedIn(served, version)) {
        this.judged += 1;
        if (!this.#anySource(contract.purposes, user, wroteAt)) this.accuse('served', runKey, user, version);
      }
      return;
    }
    const lost = [...reads].filter((read) => {
      const [user, source] = read.split('|') as [string, string];
      return !contract.purposes.some((purpose) => this.truth.allowed(user, purpose, source, wroteAt, this.#now()));
    });
    if (lost.length === 0) return;
    const found = await this.#db
      .collection<{ _id: string; state: string }>('versions')
      .findOne({ _id: `main.${version}` });
    if (found?.state === 'ready') this.accuse('unmarked', runKey, lost.join(), version);
  }

  #anySource(purposes: readonly Purpose[], user: string, from: number): boolean {
    return purposes.some((purpose) =>
      this.truth.sources.some((source) => this.truth.allowed(user, purpose, source, from, this.#now())),
    );
  }

  async #servedIn(collection: string, version: string): Promise<string[]> {
    const documents = await this.#db.collection<{ _id: string }>(collection).find({}).toArray();
    return documents
      .filter(({ _id }) => _id.startsWith(`main.${version}.`))
      .map(({ _id }) => _id.slice(_id.lastIndexOf('.') + 1))
      .filter((hex) => hex.length === SUBJECT_HEX)
      .map((hex) => this.#user(hex));
  }

  /** Whether an act of withdrawal has left a source of a person without any purpose. */
  isUnjustified(user: string, source: string): boolean {
    const purposes = PURPOSES.filter((purpose) => sourceOf(source).purposes.includes(purpose));
    return this.truth.isForbiddenBy(user, purposes, source, (run) => run.startsWith('main.governance.'));
  }
}
