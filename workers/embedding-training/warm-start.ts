/**
 * Owns what a training may go on from: an earlier version that nobody has withdrawn from since, of the same model. What was learned of somebody stays in
 * the factors that follow from it, so a version of the wrong people is refused, and the training begins at the beginning.
 */
import { embeddingTraining } from '../../jobs/embedding-training/contract.ts';
import type { ContractParsed } from '../../shared/contract-kit/define-job.ts';
import { AppError } from '../../shared/errors.ts';
import { KEY_BYTES, type DenseRows, type WarmStart } from '../../shared/numerics/types.ts';
import { arrayOf, readVersion } from '../reading/dataset.ts';
import type { RunContext } from '../runtime/processor.ts';

const WARM_MODELS: readonly string[] = ['ials', 'bpr', 'warp'];
const LIVE = 'live';

export interface FoundStart {
  readonly version: string | null;
  /** Why it is not gone on from. */
  readonly refused: string | null;
  readonly start?: WarmStart;
}

/** Undefined: nobody asked. Throws INPUT_INVALID for a model that cannot, or a named version of another model; what reading a version throws. */
export async function findWarmStart(
  { model, warmStart }: ContractParsed<typeof embeddingTraining>,
  context: RunContext,
): Promise<FoundStart | undefined> {
  if (warmStart === undefined) return undefined;
  if (!WARM_MODELS.includes(model)) throw invalid(`The model ${model} cannot go on from an earlier version.`, model);
  const { store, tenant } = context;
  const version = warmStart === LIVE ? (await store.releases.live(tenant))?.embeddings : warmStart;
  if (version === undefined) return { version: null, refused: 'nothing is live yet' };
  const found = await readVersion(version, 'embeddings', context);
  if (found.meta['model'] !== model) {
    if (warmStart !== LIVE) throw invalid(`Version ${version} is of another model.`, String(found.meta['model']));
    return { version, refused: 'the live version is of another model' };
  }
  const { consentEpoch = 0, createdAt } = found;
  const { purposes } = embeddingTraining;
  const withdrawn = await store.consents.withdrawnSince(tenant, consentEpoch, purposes, createdAt);
  if (found.state !== 'ready' || withdrawn.subjects.length > 0)
    return { version, refused: 'somebody whom it may have learned from has withdrawn' };
  const arrays = await store.versions.arrays(tenant, found);
  const rows = (name: string, keys: Uint8Array): DenseRows => {
    const data = arrayOf(arrays, name, Float32Array);
    const count = keys.length / KEY_BYTES;
    return { rows: count, width: data.length / count, data };
  };
  const userKeys = arrayOf(arrays, 'subjects', Uint8Array);
  const itemKeys = arrayOf(arrays, 'itemKeys', Uint8Array);
  const factors = { users: rows('userFactors', userKeys), items: rows('itemFactors', itemKeys) };
  return { version, refused: null, start: { factors, userKeys, itemKeys } };
}

const invalid = (message: string, model: string): AppError =>
  new AppError('INPUT_INVALID', { message, details: { field: 'warmStart', model, known: WARM_MODELS } });
