/**
 * Owns finding what a document or a job names: ids are looked for in its bytes, whatever its shape. Bytes that only look like an id keep
 * something a little longer, and nothing else.
 */
import type { Collection, Db, Document } from 'mongodb';
import { KeyTable } from '../../blocks/key-table.ts';

/** `kind-` and 24 hex digits: the hash of the run and fence that made a version, unique by itself. */
const VERSION = /-([0-9a-f]{24})(?![0-9a-f])/g;
/** `tenant.` and 32 random hex digits. */
const BLOCK = /\.([0-9a-f]{32})(?![0-9a-f])/g;
const RELEASE = /\b(v\d+-[0-9a-f]{6})(?![0-9a-f])/g;
/** Ids are shorter: what is cut by the end of one part is whole in its end and the beginning of the next. */
const OVERLAP = 100;
const BATCH_DOCS = 500;

export const versionHash = (id: string): string => id.slice(-24);
export const blockKey = (id: string): Buffer => Buffer.from(id.slice(-32), 'hex');

/** What was found named, and by whom first. 24-48 bytes a block. */
export class Names {
  /** By hash of the version. */
  readonly versions = new Map<string, string>();
  readonly releases = new Set<string>();
  readonly blocks = new KeyTable();

  note(text: string, by: string): void {
    for (const [, hash] of text.matchAll(VERSION)) if (!this.versions.has(hash!)) this.versions.set(hash!, by);
    for (const [, version] of text.matchAll(RELEASE)) this.releases.add(version!);
    for (const [, hex] of text.matchAll(BLOCK)) this.blocks.add(Buffer.from(hex!, 'hex'));
  }
}

/** Hashes of the versions that a value names. */
export function versionsIn(value: unknown): string[] {
  return [...JSON.stringify(value).matchAll(VERSION)].map(([, hash]) => hash!);
}

/** Texts of a collection's documents, in order. One after the other they overlap, so that parts of one thing are read as one. */
export async function* textsOf(
  collection: Collection,
  filter: object = {},
  projection: Document = {},
): AsyncGenerator<string, void> {
  let tail = '';
  const found = collection.find(filter, { raw: true, batchSize: BATCH_DOCS, projection }).sort({ _id: 1 });
  for await (const document of found) {
    const bytes = document as unknown as Uint8Array;
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
    yield tail + text;
    tail = text.slice(-OVERLAP);
  }
}

export async function collectionsOf(db: Db): Promise<string[]> {
  const found = await db.listCollections({}, { nameOnly: true }).toArray();
  return found
    .map(({ name }) => name)
    .filter((name) => !name.startsWith('system.'))
    .sort();
}
