/**
 * Owns which batch brought which event. A document a batch: what is said of it in the clear, the ids of its events in an encrypted box. An
 * event is looked for among the batches of its source whose times of recording span its own.
 */
import type { Collection, Db } from 'mongodb';
import { decrypt, encrypt, type MasterRing, newDataKey, placeOf, unwrapKey, wrapKey } from '../../governance/crypto.ts';
import type { BatchLineage, BatchQuality, Lineage } from '../ports.ts';
import { isDuplicateKey } from './driver-errors.ts';
import { COLLECTIONS, idOf } from './names.ts';
import { SourceDays } from './source-days.ts';

const ID_BYTES = 16;
/** Batches that one event may have come with. */
const FOUND_MAX = 20;

interface LineageDocument extends BatchLineage {
  /** Absent: noted before batches were counted. */
  quality?: BatchQuality;
  _id: string;
  tenant: string;
  /** Earliest and latest moment of recording among its events. */
  from: number;
  until: number;
  kid: string;
  key: Uint8Array;
  box: Uint8Array;
}

/** Of the batch that a run took in: an attempt that is repeated writes over what the one before it noted. */
export const batchIdOf = (tenant: string, run: string): string => idOf(tenant, run.slice(run.lastIndexOf('.') + 1));

export const placeOfIds = (id: string): string => placeOf(COLLECTIONS.lineage, 'ids', id);

export function createLineageIndexes(db: Db): Promise<unknown> {
  return db.collection(COLLECTIONS.lineage).createIndexes([
    { key: { tenant: 1, source: 1, until: 1 }, name: 'recorded' },
    { key: { until: 1 }, name: 'age' },
    { key: { tenant: 1, receivedAt: 1 }, name: 'received' },
  ]);
}

class MongoLineage implements Lineage {
  readonly #batches: Collection<LineageDocument>;
  readonly #ring: MasterRing;

  constructor(db: Db, ring: MasterRing) {
    this.#batches = db.collection<LineageDocument>(COLLECTIONS.lineage);
    this.#ring = ring;
  }

  async record(...[tenant, { recordedAt, ...batch }, eventIds]: Parameters<Lineage['record']>): Promise<void> {
    const _id = batchIdOf(tenant, batch.run);
    const dataKey = newDataKey();
    const [from, until] = recordedAt;
    const sealed = {
      ...wrapKey(this.#ring, dataKey, placeOfIds(_id)),
      box: encrypt(dataKey, eventIds, placeOfIds(_id)),
    };
    const document = { tenant, ...batch, from, until, ...sealed };
    try {
      await this.#batches.insertOne({ _id, ...document });
    } catch (thrown) {
      if (!isDuplicateKey(thrown)) throw thrown;
      await this.#batches.replaceOne({ _id }, document); // an earlier attempt of the same run
    }
  }

  async settle(tenant: string, run: string, duplicates: number): Promise<void> {
    await this.#batches.updateOne(
      { _id: batchIdOf(tenant, run), quality: { $exists: true } },
      { $set: { 'quality.duplicates': duplicates } },
    );
  }

  async days(tenant: string, since: number): ReturnType<Lineage['days']> {
    const days = new SourceDays();
    const projection = { source: 1, receivedAt: 1, quality: 1 };
    for await (const { source, receivedAt, quality } of this.#batches.find(
      { tenant, receivedAt: { $gte: since } },
      { projection },
    ))
      if (quality !== undefined && quality !== null) days.add(source, receivedAt, quality);
    return days.all();
  }

  async find(...[tenant, { eventId, source, recordedAt }]: Parameters<Lineage['find']>): Promise<BatchLineage[]> {
    const found: BatchLineage[] = [];
    const range = { tenant, source, from: { $lte: recordedAt }, until: { $gte: recordedAt } };
    for await (const document of this.#batches.find(range)) {
      if (!holds(this.#idsOf(document), eventId)) continue;
      const { run, schema, licence, receivedAt, consentEpoch, events } = document;
      const version = schema === undefined || schema === null ? {} : { schema };
      found.push({ run, source, ...version, licence, receivedAt, consentEpoch, events });
      if (found.length === FOUND_MAX) break;
    }
    return found.sort((a, b) => a.receivedAt - b.receivedAt);
  }

  #idsOf({ _id, kid, key, box }: LineageDocument): Buffer {
    const dataKey = unwrapKey(this.#ring, { kid, key }, placeOfIds(_id), COLLECTIONS.lineage);
    return decrypt(dataKey, box, placeOfIds(_id), COLLECTIONS.lineage);
  }
}

function holds(ids: Buffer, id: Uint8Array): boolean {
  for (let at = ids.indexOf(id); at >= 0; at = ids.indexOf(id, at + 1)) if (at % ID_BYTES === 0) return true;
  return false;
}

export function mongoLineage(db: Db, ring: MasterRing): Lineage {
  return new MongoLineage(db, ring);
}
