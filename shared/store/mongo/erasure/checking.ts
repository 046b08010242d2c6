/**
 * Owns the last look: every document of every collection, whatever it is, is read as bytes and searched for the person's key, as bytes and in hex. It
 * shares nothing with what removes, and knows no collection by name, so that one added later is looked at too.
 */
import type { Db } from 'mongodb';
import { hexOf } from '../../../governance/keys.ts';
import type { ErasedArtefact, SubjectKey } from '../../ports.ts';
import { collectionsOf } from '../collection/names.ts';

const BATCH_DOCS = 500;

export async function checkDocuments(db: Db, subject: SubjectKey, signal?: AbortSignal): Promise<ErasedArtefact[]> {
  const [key, hex] = [Buffer.from(subject), hexOf(subject)];
  const artefacts: ErasedArtefact[] = [];
  for (const name of await collectionsOf(db)) {
    let [checked, left] = [0, 0];
    for await (const document of db.collection(name).find({}, { raw: true, batchSize: BATCH_DOCS })) {
      if (checked % BATCH_DOCS === 0) signal?.throwIfAborted();
      const raw = document as unknown as Uint8Array;
      const bytes = Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength);
      checked += 1;
      if (bytes.includes(key) || bytes.includes(hex)) left += 1;
    }
    artefacts.push({ artefact: `${name} (every document)`, checked, removed: 0, left });
  }
  return artefacts;
}
