/** Owns how far schedules have got: one document a schedule, advanced by compare-and-set on `seq`. */
import type { Collection, Db } from 'mongodb';
import type { Ticks, TickState } from '../ports.ts';
import { isDuplicateKey } from './driver-errors.ts';
import { idOf } from './names.ts';

type Stored = TickState & { _id: string };

export function mongoTicks(db: Db): Ticks {
  const ticks: Collection<Stored> = db.collection<Stored>('schedule_ticks');
  return {
    async begin(tenant, schedule, cursor) {
      const _id = idOf(tenant, schedule);
      const found = await ticks.findOne({ _id }, { projection: { _id: 0 } });
      if (found !== null) return found;
      const fresh: TickState = { tenant, schedule, seq: 1, cursor, recent: [] };
      try {
        await ticks.insertOne({ _id, ...fresh });
        return fresh;
      } catch (thrown) {
        const theirs = isDuplicateKey(thrown) ? await ticks.findOne({ _id }, { projection: { _id: 0 } }) : null;
        if (theirs === null) throw thrown;
        return theirs;
      }
    },
    async advance({ tenant, schedule, seq }, after) {
      const { matchedCount } = await ticks.updateOne(
        { _id: idOf(tenant, schedule), seq },
        { $set: { ...after, seq: seq + 1 } },
      );
      return matchedCount === 1;
    },
    async keep(tenant, schedule, record) {
      await ticks.updateOne({ _id: idOf(tenant, schedule) }, { $set: { record } });
    },
    kept: (limit) =>
      ticks
        .find({}, { projection: { _id: 0 } })
        .limit(limit)
        .toArray(),
  };
}
