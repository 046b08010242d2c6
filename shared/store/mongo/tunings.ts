/** Owns what searches have chosen: one document a model, replaced by what speaks of the same moment or a later one. */
import type { Collection, Db } from 'mongodb';
import type { Tuning, Tunings } from '../ports.ts';
import { isDuplicateKey } from './driver-errors.ts';
import { COLLECTIONS, idOf } from './names.ts';

export function mongoTunings(db: Db): Tunings {
  const tunings: Collection<Tuning & { _id: string }> = db.collection(COLLECTIONS.tunings);
  return {
    async keep(tuning) {
      const _id = idOf(tuning.tenant, tuning.model);
      try {
        await tunings.replaceOne({ _id, asOf: { $lte: tuning.asOf } }, tuning, { upsert: true });
      } catch (thrown) {
        // One of a later moment is there: the upsert met its key.
        if (!isDuplicateKey(thrown)) throw thrown;
      }
    },
    async read(tenant, model) {
      const found = await tunings.findOne({ _id: idOf(tenant, model) }, { projection: { _id: 0 } });
      return found ?? undefined;
    },
  };
}
