/** Owns how many events of a person came in a window of time: one document a person, source and window, under the person's pseudonym. */
import type { Collection, Db } from 'mongodb';
import type { PersonWindow, PersonWindows } from '../ports.ts';
import { isDuplicateKey } from './driver-errors.ts';
import { COLLECTIONS, entityId } from './names.ts';

interface WindowDocument {
  _id: string;
  /** When somebody last brought anything. */
  at: number;
  released?: true;
  /** Events by run: a run that is tried again counts once. */
  runs?: Record<string, number>;
}

const documentId = (tenant: string, { source, subject, window }: PersonWindow): string =>
  `${entityId(tenant, subject)}.${source}.${window}`;

class MongoPersonWindows implements PersonWindows {
  readonly #windows: Collection<WindowDocument>;
  readonly #clock: () => number;

  constructor(db: Db, clock: () => number) {
    this.#windows = db.collection<WindowDocument>(COLLECTIONS.personWindows);
    this.#clock = clock;
  }

  async note(...[tenant, run, own]: Parameters<PersonWindows['note']>): ReturnType<PersonWindows['note']> {
    const _id = documentId(tenant, own);
    const known = tally(await this.#windows.findOne({ _id }), run);
    // What is over does not grow: a flood of small batches writes no more once the limit is reached.
    if (known.released || known.others >= own.enough) return known;
    const update = { $set: { at: this.#clock(), [`runs.${run}`]: own.events } };
    const upsert = () => this.#windows.findOneAndUpdate({ _id }, update, { upsert: true, returnDocument: 'after' });
    // Two first ones of a window meet once.
    const after = await upsert().catch((thrown: unknown) => {
      if (!isDuplicateKey(thrown)) throw thrown;
      return upsert();
    });
    return tally(after, run);
  }

  async release(tenant: string, windows: readonly PersonWindow[]): Promise<void> {
    for (const window of windows)
      await this.#windows.updateOne(
        { _id: documentId(tenant, window) },
        { $set: { at: this.#clock(), released: true }, $unset: { runs: '' } },
        { upsert: true },
      );
  }
}

function tally(found: WindowDocument | null, run: string): { readonly others: number; readonly released: boolean } {
  let others = 0;
  for (const [name, events] of Object.entries(found?.runs ?? {})) if (name !== run) others += events;
  return { others, released: found?.released === true };
}

export function mongoPersonWindows(db: Db, clock: () => number): PersonWindows {
  return new MongoPersonWindows(db, clock);
}
