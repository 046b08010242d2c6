/**
 * Owns the list of what lies under a master key: the wrapped keys of every collection, how each is found and which place it is bound to. Whoever wraps a
 * key somewhere else adds it here, or a rotation would pass it by: a test looks.
 */
import type { Collection, Db, Document } from 'mongodb';
import { placeOfBlock } from './block-store.ts';
import { entryPlace } from './consents.ts';
import { placeOfIds } from './lineage.ts';
import { COLLECTIONS } from './names.ts';
import { envelopePlace } from './people.ts';
import { placeOfBody } from './quarantine.ts';
import { placeOfSecret } from './webhooks.ts';

export interface WrappedPlace {
  readonly collection: string;
  /** Paths of the master key's id and of the wrapped key. */
  readonly kid: string;
  readonly key: string;
  /** What else of a document its place is made of. */
  readonly needs?: readonly string[];
  /** Documents that are rewritten by one command: the server writes each of them whole. */
  readonly atOnce: number;
  placeOf(document: WrappedDocument): string;
}

export interface WrappedDocument extends Document {
  readonly _id: string;
}

interface EntryBody {
  readonly run: string;
  readonly part: number;
}

const BESIDE = { kid: 'kid', key: 'key' } as const;

export const WRAPPED: readonly WrappedPlace[] = [
  { collection: COLLECTIONS.people, ...BESIDE, atOnce: 500, placeOf: ({ _id }) => envelopePlace(_id) },
  { collection: COLLECTIONS.blocks, ...BESIDE, atOnce: 16, placeOf: ({ _id }) => placeOfBlock(_id) },
  { collection: COLLECTIONS.lineage, ...BESIDE, atOnce: 200, placeOf: ({ _id }) => placeOfIds(_id) },
  { collection: COLLECTIONS.quarantine, ...BESIDE, atOnce: 16, placeOf: ({ _id }) => placeOfBody(_id) },
  { collection: COLLECTIONS.webhooks, kid: 'kid', key: 'box', atOnce: 500, placeOf: ({ _id }) => placeOfSecret(_id) },
  {
    collection: COLLECTIONS.consentLog,
    kid: 'body.kid',
    key: 'body.key',
    needs: ['body.run', 'body.part'],
    atOnce: 16,
    placeOf({ _id, body }) {
      const { run, part } = body as EntryBody;
      return entryPlace(_id.slice(0, _id.indexOf('.')), run, part);
    },
  },
];

export const wrappedIn = (db: Db, { collection }: WrappedPlace): Collection<WrappedDocument> =>
  db.collection<WrappedDocument>(collection);

/** Of documents whose key is there: shredded ones may still say which master key it was under. */
export const isWrapped = ({ kid, key }: WrappedPlace): Document => ({
  [kid]: { $exists: true },
  [key]: { $exists: true },
});

/** What lies under a dotted path. */
export function valueAt(document: Document, path: string): unknown {
  return path.split('.').reduce<unknown>((value, name) => (value as Document | undefined | null)?.[name], document);
}

/** How many wrapped keys each master key has, by its id. */
export async function countsOf(db: Db, place: WrappedPlace): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  const groups = wrappedIn(db, place).aggregate<{ _id: string | null; n: number }>([
    { $match: isWrapped(place) },
    { $group: { _id: `$${place.kid}`, n: { $sum: 1 } } },
  ]);
  for await (const { _id, n } of groups) if (_id !== null) counts.set(_id, n);
  return counts;
}
