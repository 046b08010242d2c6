/**
 * Owns migration: blocks of events get successors in the newest format, or data keys are wrapped anew under the current master key. No reader can tell the
 * one from the other, so nothing waits for the commit: an attempt that ends half-way has done half of it, and the next one goes on with what is left.
 */
import { migration } from '../../jobs/migration/contract.ts';
import type { ContractOutput, ContractParsed } from '../../shared/contract-kit/define-job.ts';
import { AppError } from '../../shared/errors.ts';
import { defineProcessor, type RunContext } from '../runtime/processor.ts';

type Asked = ContractParsed<typeof migration>;
type Output = ContractOutput<typeof migration>;

async function renewBlocks(format: number, { store, tenant, signal, progress }: RunContext): Promise<Output> {
  const onProgress = (done: number, total: number): void =>
    progress({ done, total, label: 'partitions and data sets' });
  return { format, ...(await store.formats.migrate(tenant, { signal, onProgress })) };
}

async function rewrapKeys(masterKey: string, { store, signal, progress }: RunContext): Promise<Output> {
  const onProgress = (done: number, total: number): void => progress({ done, total, label: 'wrapped keys' });
  return { masterKey, ...(await store.keyring.rotate({ signal, onProgress })) };
}

export default defineProcessor({
  contract: migration,

  async load(asked, { store, tenant }): Promise<Asked> {
    if ('masterKey' in asked) {
      const { current } = store.keyring;
      if (asked.masterKey !== current)
        throw new AppError('MASTER_KEY_NOT_CURRENT', { details: { asked: asked.masterKey, current } });
      return asked;
    }
    const { newest } = await store.formats.status(tenant);
    // Asked by a newer process: one of those does it.
    if (asked.format > newest)
      throw new AppError('BLOCK_FORMAT_UNKNOWN', { details: { format: asked.format, known: newest } });
    return { format: newest };
  },

  compute: (asked, context) =>
    'masterKey' in asked ? rewrapKeys(asked.masterKey, context) : renewBlocks(asked.format, context),

  write: async (output) => ({ output, lineage: { engine: 'js' } }),
});
