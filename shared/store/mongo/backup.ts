/**
 * Owns backups of the store: one file of BSON documents a collection, and a manifest that is written last. What is encrypted stays so; keys are
 * not included, only named.
 *
 * Writers go on meanwhile. What names something is therefore read before what it names (pointer, release, run, manifest, version, block),
 * and nothing that is named is changed, so all that a restored document names is there. Records of a committed run move from its pending block
 * into people, items and the consent log, so these are read after the blocks: they are in the one or in the other.
 */
import { createHash } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Db } from 'mongodb';
import { z } from 'zod';
import { AppError } from '../../errors.ts';
import { keyIdOf } from '../../governance/crypto.ts';
import { connectFailure, openDatabase, type OpenStoreOptions } from './open.ts';
import { BLOCK_FORMAT } from './block-store.ts';
import { WriteFormat } from './formats.ts';
import { COLLECTIONS } from './names.ts';

const FORMAT = 'millrace-backup/1';
const ANY_FORMAT = /^millrace-backup\/\d+$/;
export const MANIFEST = 'manifest.json';
/** Documents fetched at once; with blocks of 8 MB the server ends a batch at 16 MB by itself. */
const BATCH_DOCS = 200;

const FIRST: readonly string[] = [
  'pointers',
  'releases',
  'pipeline_runs',
  'runs',
  COLLECTIONS.partitions,
  COLLECTIONS.manifests,
];
/** Counters come after the logs that they count: they may be ahead of their log, never behind. */
const LAST: readonly string[] = [
  COLLECTIONS.blocks,
  COLLECTIONS.items,
  COLLECTIONS.people,
  COLLECTIONS.texts,
  COLLECTIONS.consentLog,
  COLLECTIONS.counters,
];

const fileSchema = z.object({
  collection: z.string().regex(/^[A-Za-z0-9_.-]+$/),
  file: z.string().regex(/^[A-Za-z0-9_.-]+\.bson$/),
  documents: z.int().min(0),
  bytes: z.int().min(0),
  sha256: z.string(),
});
const manifestSchema = z.object({
  format: z.literal(FORMAT),
  startedAt: z.iso.datetime(),
  endedAt: z.iso.datetime(),
  /** Newest format of its blocks; absent in backups from before there was a second one. */
  blockFormat: z.int().min(1).optional(),
  /** Names of the keys without which it cannot be read. */
  keys: z.object({ master: z.array(z.string()), tenant: z.string() }),
  files: z.array(fileSchema),
});
/** What a backup of any version begins with. */
const headSchema = z.object({ format: z.string().regex(ANY_FORMAT), blockFormat: z.int().optional() });
export type BackupManifest = z.output<typeof manifestSchema>;
export type BackupFile = BackupManifest['files'][number];

export type BackupOptions = Pick<OpenStoreOptions, 'url' | 'database' | 'masterKey' | 'tenantKey'> & {
  readonly signal?: AbortSignal;
  /** Told after each collection. */
  readonly onFile?: (file: BackupFile) => void;
};

export function keyNames({ masterKey, tenantKey }: BackupOptions): BackupManifest['keys'] {
  const masters = masterKey instanceof Uint8Array ? [masterKey] : masterKey;
  return { master: masters.map(keyIdOf), tenant: keyIdOf(tenantKey) };
}

/** Reads the whole store into a folder that is empty or not there yet. */
export async function backUp(folder: string, options: BackupOptions): Promise<BackupManifest> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if ((await readdir(folder)).length > 0)
    throw new AppError('USAGE', { message: `The folder ${folder} is not empty: a backup needs one of its own.` });
  await using database = await openDatabase(options);
  const startedAt = new Date().toISOString();
  const files: BackupFile[] = [];
  let blockFormat = 1;
  try {
    blockFormat = await new WriteFormat(database.db).enabled();
    for (const collection of await inOrder(database.db)) {
      options.signal?.throwIfAborted();
      const file = await write(database.db, collection, folder, options.signal);
      files.push(file);
      options.onFile?.(file);
    }
  } catch (thrown) {
    if (options.signal?.aborted === true) throw options.signal.reason;
    throw thrown instanceof Error && thrown.name.startsWith('Mongo') ? connectFailure(thrown, database.hosts) : thrown;
  }
  const endedAt = new Date().toISOString();
  const manifest = { format: FORMAT, startedAt, endedAt, blockFormat, keys: keyNames(options), files };
  // Under its name once it is whole: a folder without a manifest is no backup.
  await writeFile(join(folder, `${MANIFEST}.part`), `${JSON.stringify(manifest, null, 2)}\n`, { mode: 0o600 });
  await rename(join(folder, `${MANIFEST}.part`), join(folder, MANIFEST));
  return manifestSchema.parse(manifest);
}

async function inOrder(db: Db): Promise<string[]> {
  const there = (await db.listCollections({}, { nameOnly: true }).toArray())
    .map(({ name }) => name)
    .filter((name) => !name.startsWith('system.'));
  const rank = (name: string): number => {
    const last = LAST.indexOf(name);
    if (last >= 0) return FIRST.length + 1 + last;
    const first = FIRST.indexOf(name);
    return first >= 0 ? first : FIRST.length;
  };
  return there.sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}

async function write(db: Db, collection: string, folder: string, signal?: AbortSignal): Promise<BackupFile> {
  const file = `${collection}.bson`;
  await using handle = await open(join(folder, file), 'wx', 0o600);
  const sum = createHash('sha256');
  let [documents, bytes] = [0, 0];
  const found = db.collection(collection).find({}, { raw: true, batchSize: BATCH_DOCS }).sort({ _id: 1 });
  for await (const document of found) {
    signal?.throwIfAborted();
    const raw = document as unknown as Uint8Array;
    sum.update(raw);
    await handle.writeFile(raw);
    documents++;
    bytes += raw.length;
  }
  await handle.sync();
  return { collection, file, documents, bytes, sha256: sum.digest('hex') };
}

export const badBackup = (why: string, cause?: unknown): AppError =>
  new AppError('BACKUP_INVALID', { message: `This is not a whole backup: ${why}.`, cause });

export async function readManifest(folder: string): Promise<BackupManifest> {
  try {
    const parsed: unknown = JSON.parse(await readFile(join(folder, MANIFEST), 'utf8'));
    const { format, blockFormat = 1 } = headSchema.parse(parsed);
    if (format === FORMAT && blockFormat <= BLOCK_FORMAT) return manifestSchema.parse(parsed);
    const known = { format: FORMAT, blockFormat: BLOCK_FORMAT };
    throw new AppError('BACKUP_TOO_NEW', { details: { format, blockFormat, known } });
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw badBackup(`${MANIFEST} is missing or of another format`, cause);
  }
}
