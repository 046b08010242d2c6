/** Owns secure sums in the store of one party: one document a round, one a round and person with the share, which alone says nothing. */
import type { Collection, Db } from 'mongodb';
import { AppError } from '../../errors.ts';
import type { SumRound, Sums } from '../ports.ts';
import { isDuplicateKey } from './driver-errors.ts';
import { chunksOf, COLLECTIONS, idOf, idsUnder } from './names.ts';

type StoredRound = SumRound & { readonly _id: string; readonly tenant: string; readonly fixedAt?: number };
interface StoredShare {
  readonly _id: string;
  readonly share: string;
}

const TERMS = ['series', 'parties', 'threshold', 'party', 'most', 'cohortMin'] as const;
const isSame = (a: SumRound, b: SumRound): boolean => TERMS.every((term) => a[term] === b[term]);
const projection = { _id: 0, tenant: 0, fixedAt: 0 };

export async function createSumIndexes(db: Db): Promise<void> {
  await db
    .collection(COLLECTIONS.sums)
    .createIndexes([{ key: { tenant: 1, series: 1, openedAt: -1 }, name: 'series' }]);
}

export function mongoSums(db: Db): Sums {
  const rounds: Collection<StoredRound> = db.collection(COLLECTIONS.sums);
  const given: Collection<StoredShare> = db.collection(COLLECTIONS.sumShares);
  const read = async (tenant: string, round: string): Promise<SumRound | undefined> =>
    (await rounds.findOne({ _id: idOf(tenant, round) }, { projection })) ?? undefined;
  return {
    async open(tenant, round) {
      try {
        await rounds.insertOne({ ...round, _id: idOf(tenant, round.round), tenant });
        return round;
      } catch (thrown) {
        if (!isDuplicateKey(thrown)) throw thrown;
        const before = await read(tenant, round.round);
        if (before !== undefined && isSame(before, round)) return before;
        throw new AppError('SUM_ROUND_CONFLICT', { details: { round: round.round } });
      }
    },
    round: read,
    async give(tenant, round, contributor, share) {
      const _id = idOf(tenant, round, contributor);
      try {
        await given.insertOne({ _id, share: String(share) });
      } catch (thrown) {
        if (!isDuplicateKey(thrown)) throw thrown;
        const before = await given.findOne({ _id });
        if (before?.share !== String(share)) throw new AppError('SUM_DUPLICATE', { details: { round } });
      }
    },
    async contributors(tenant, round) {
      const under = idOf(tenant, round);
      const found = given.find({ _id: idsUnder(under) }, { projection: { _id: 1 } }).sort({ _id: 1 });
      return (await found.toArray()).map(({ _id }) => _id.slice(under.length + 1));
    },
    async shares(tenant, round, contributors) {
      const shares = new Map<string, bigint>();
      const under = idOf(tenant, round);
      for (const chunk of chunksOf(contributors))
        for await (const { _id, share } of given.find({ _id: { $in: chunk.map((one) => `${under}.${one}`) } }))
          shares.set(_id.slice(under.length + 1), BigInt(share));
      return shares;
    },
    fixed: (tenant, series, limit) =>
      rounds
        .find({ tenant, series, agreed: { $exists: true } }, { projection })
        .sort({ openedAt: -1 })
        .limit(limit)
        .toArray(),
    async fix(tenant, round, agreed) {
      const open = { _id: idOf(tenant, round), agreed: { $exists: false } };
      await rounds.updateOne(open, { $set: { agreed } });
      return (await read(tenant, round))?.agreed ?? [];
    },
    async clear(tenant, round) {
      await rounds.updateOne({ _id: idOf(tenant, round) }, { $set: { cleared: true } });
    },
    async unfix(tenant, round) {
      const open = { _id: idOf(tenant, round), cleared: { $exists: false } };
      await rounds.updateOne(open, { $unset: { agreed: '' } });
    },
  };
}
