/** Owns counting what lies in the store under seal keys: payload claims, and inputs in the outbox of the gateway. */
import type { Db } from 'mongodb';
import { OUTBOX_FIELD } from '../../contract-kit/outbox.ts';
import { sealKeyOf } from '../../contract-kit/seal.ts';
import { COLLECTIONS } from './names.ts';

interface JournalledJob {
  readonly envelope: { readonly sealed?: { readonly kid: string } | null };
  readonly body?: string | null;
}

export async function sealedIn(db: Db): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  const add = (id: string | undefined): void => {
    if (id !== undefined) counts.set(id, (counts.get(id) ?? 0) + 1);
  };
  const claims = db.collection<{ sealedBy?: string }>(COLLECTIONS.claims);
  for await (const { sealedBy } of claims.find({ sealedBy: { $exists: true } }, { projection: { sealedBy: 1 } }))
    add(sealedBy);
  const entries = db.collection<{ [OUTBOX_FIELD]: { readonly jobs: readonly JournalledJob[] } }>(COLLECTIONS.journal);
  for await (const { [OUTBOX_FIELD]: entry } of entries.find())
    for (const { envelope, body } of entry.jobs) add(envelope.sealed?.kid ?? sealKeyOf(body ?? ''));
  return counts;
}
