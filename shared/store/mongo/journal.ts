/** Owns the deployment's own outbox: a document for each run whose enqueue must outlive Redis, until its run has ended. */
import { type Collection, type Db, MongoBulkWriteError } from 'mongodb';
import { OUTBOX_FIELD } from '../../contract-kit/outbox.ts';
import type { Journal, JournalEntry } from '../ports.ts';
import { isDuplicateKey } from './driver-errors.ts';
import { COLLECTIONS, chunksOf } from './names.ts';

interface JournalDocument {
  _id: string;
  [OUTBOX_FIELD]: { readonly id: string };
}

class MongoJournal implements Journal {
  readonly #entries: Collection<JournalDocument>;

  constructor(db: Db) {
    this.#entries = db.collection<JournalDocument>(COLLECTIONS.journal);
  }

  async write(entries: readonly JournalEntry[]): Promise<void> {
    for (const chunk of chunksOf(entries)) {
      const documents = chunk.map(({ runKey, entry }) => ({ _id: runKey, [OUTBOX_FIELD]: entry }));
      try {
        await this.#entries.insertMany(documents, { ordered: false });
      } catch (thrown) {
        if (!isAllThere(thrown)) throw thrown;
      }
    }
  }

  async forget(entries: readonly JournalEntry[]): Promise<void> {
    // By the entry's own id, too: another one of the same run may have been there before.
    for (const chunk of chunksOf(entries))
      await this.#entries.deleteMany({
        _id: { $in: chunk.map(({ runKey }) => runKey) },
        [`${OUTBOX_FIELD}.id`]: { $in: chunk.map(({ entry }) => entry.id) },
      });
  }
}

const DUPLICATE_KEY = 11_000;

/** Every write that failed met its own key. */
function isAllThere(thrown: unknown): boolean {
  if (!(thrown instanceof MongoBulkWriteError)) return isDuplicateKey(thrown);
  const errors = Array.isArray(thrown.writeErrors) ? thrown.writeErrors : [thrown.writeErrors];
  return errors.length > 0 && errors.every(({ code }) => code === DUPLICATE_KEY);
}

export function mongoJournal(db: Db): Journal {
  return new MongoJournal(db);
}
