/**
 * Owns restoring a backup into an empty database: everything is verified before anything is written, what is named goes in before what names
 * it, and the pointers come last, so that a restore that was cut off serves nothing.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { BSON, type Db, type Document } from 'mongodb';
import { AppError } from '../../errors.ts';
import {
  type BackupFile,
  type BackupManifest,
  type BackupOptions,
  badBackup,
  keyNames,
  readManifest,
} from './backup.ts';
import { COLLECTIONS } from './names.ts';
import { openDatabase, openStore } from './open.ts';

/** Documents and bytes of one insert. */
const INSERT_DOCS = 500;
const INSERT_BYTES = 12_000_000;
/** The server's own limit of a document. */
const DOCUMENT_BYTES_MAX = 16 * 1024 * 1024;

export async function restore(folder: string, options: BackupOptions): Promise<BackupManifest> {
  const manifest = await readManifest(folder);
  checkKeys(manifest, options);
  for (const file of manifest.files) await verify(folder, file);
  await using database = await openDatabase(options);
  await refuseUsed(database.db, options.database);
  await database.db.collection(COLLECTIONS.keyring).deleteMany({});
  for (const file of manifest.files.toReversed()) {
    options.signal?.throwIfAborted();
    await insert(database.db, folder, file);
    options.onFile?.(file);
  }
  await (await openStore(options))[Symbol.asyncDispose](); // which makes the indexes
  return manifest;
}

/** Every master key of the backup and its tenant key must be held, else what is restored could not be read. */
function checkKeys({ keys }: BackupManifest, options: BackupOptions): void {
  const held = keyNames(options);
  const missing = keys.master.filter((id) => !held.master.includes(id));
  const problems = [
    ...missing.map((id) => `master key ${id}`),
    ...(keys.tenant === held.tenant ? [] : [`tenant key ${keys.tenant}`]),
  ];
  if (problems.length === 0) return;
  throw new AppError('CONFIG_INVALID', {
    message: `The backup was made under other keys: ${problems.join(' and ')} needed.`,
    details: { problems },
  });
}

async function verify(folder: string, { file, bytes, documents, sha256 }: BackupFile): Promise<void> {
  const sum = createHash('sha256');
  let [seen, found] = [0, 0];
  for await (const raw of documentsOf(folder, file)) {
    sum.update(raw);
    seen += raw.length;
    found++;
  }
  if (seen !== bytes || found !== documents || sum.digest('hex') !== sha256)
    throw badBackup(`${file} is not what the manifest says`);
}

async function refuseUsed(db: Db, database: string): Promise<void> {
  const names = (await db.listCollections({}, { nameOnly: true }).toArray()).map(({ name }) => name);
  // Whoever only opened it noted their keys; the backup brings those that belong to what is in it.
  for (const name of names.filter((one) => one !== COLLECTIONS.keyring))
    if (!name.startsWith('system.') && (await db.collection(name).findOne({}, { projection: { _id: 1 } })) !== null)
      throw new AppError('RESTORE_REFUSED', { details: { database, collection: name } });
}

async function insert(db: Db, folder: string, { collection, file, documents }: BackupFile): Promise<void> {
  let [batch, bytes]: [Document[], number] = [[], 0];
  const flush = async (): Promise<void> => {
    if (batch.length > 0) await db.collection(collection).insertMany(batch, { ordered: false });
    [batch, bytes] = [[], 0];
  };
  for await (const raw of documentsOf(folder, file)) {
    if (batch.length >= INSERT_DOCS || bytes + raw.length > INSERT_BYTES) await flush();
    // As they were: no number or binary may change its type on the way.
    batch.push(BSON.deserialize(raw, { promoteValues: false }));
    bytes += raw.length;
  }
  await flush();
  const stored = await db.collection(collection).countDocuments({});
  if (stored !== documents)
    throw badBackup(`${collection} has ${stored} documents after the restore, not ${documents}`);
}

/** The documents of a file, each cut by the length that it begins with. */
async function* documentsOf(folder: string, file: string): AsyncGenerator<Uint8Array> {
  let held: Buffer = Buffer.alloc(0);
  try {
    for await (const part of createReadStream(join(folder, file), { highWaterMark: 1 << 20 })) {
      held = held.length === 0 ? (part as Buffer) : Buffer.concat([held, part as Buffer]);
      for (;;) {
        const length = held.length < 4 ? undefined : held.readInt32LE(0);
        if (length !== undefined && (length < 5 || length > DOCUMENT_BYTES_MAX)) throw badBackup(`${file} is damaged`);
        if (length === undefined || held.length < length) break;
        yield held.subarray(0, length);
        held = held.subarray(length);
      }
    }
  } catch (cause) {
    throw cause instanceof AppError ? cause : badBackup(`${file} cannot be read`, cause);
  }
  if (held.length > 0) throw badBackup(`${file} ends within a document`);
}
