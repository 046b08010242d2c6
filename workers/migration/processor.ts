/**
 * Owns migration: blocks of events get successors in the newest format. No reader can tell one from the other, so nothing waits for the commit: an attempt
 * that ends half-way has done half of it, and the next one goes on with what still lags.
 */
import { migration } from '../../jobs/migration/contract.ts';
import { AppError } from '../../shared/errors.ts';
import { defineProcessor } from '../runtime/processor.ts';

export default defineProcessor({
  contract: migration,

  async load({ format }, { store, tenant }): Promise<number> {
    const { newest } = await store.formats.status(tenant);
    // Asked by a newer process: one of those does it.
    if (format > newest) throw new AppError('BLOCK_FORMAT_UNKNOWN', { details: { format, known: newest } });
    return newest;
  },

  async compute(format, { store, tenant, signal, progress }) {
    const onProgress = (done: number, total: number): void =>
      progress({ done, total, label: 'partitions and data sets' });
    return { format, ...(await store.formats.migrate(tenant, { signal, onProgress })) };
  },

  write: async (output) => ({ output, lineage: { engine: 'js' } }),
});
