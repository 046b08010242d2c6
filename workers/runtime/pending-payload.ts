/**
 * Owns what waits between write and follow: records that may change the store only once the run has committed, though `follow` has nothing
 * but the run document to go by. They lie in encrypted blocks that no manifest names; the run document holds their references.
 *
 * Once applied, the blocks are shredded. A repeated follow meets BLOCK_KEY_MISSING there, which therefore means "applied before".
 * A cancelled or dead-lettered run's blocks are never read; they are collected with the run.
 */
import type { Store, VersionDraft } from '../../shared/store/ports.ts';
import { AppError } from '../../shared/errors.ts';
import type { RunContext } from './processor.ts';

const ARRAY = 'pending';

export async function keepPending(payload: unknown, rows: number, context: RunContext): Promise<VersionDraft> {
  const data = new TextEncoder().encode(JSON.stringify(payload));
  return context.store.versions.draft(context.tenant, context.runKey, context.fence, rows, [{ name: ARRAY, data }]);
}

/** What was kept, or undefined when it was applied and shredded before. */
export async function readPending<T>(tenant: string, draft: VersionDraft, store: Store): Promise<T | undefined> {
  try {
    const arrays = await store.versions.arrays(tenant, draft);
    const data = arrays.get(ARRAY);
    if (!(data instanceof Uint8Array)) throw new AppError('BLOCK_CORRUPT', { details: { array: ARRAY } });
    // TextDecoder refuses shared memory.
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(data))) as T;
  } catch (thrown) {
    if (thrown instanceof AppError && thrown.code === 'BLOCK_KEY_MISSING') return undefined;
    throw thrown;
  }
}

export async function shredPending(tenant: string, draft: VersionDraft, store: Store): Promise<void> {
  await store.versions.discard(tenant, draft);
}
