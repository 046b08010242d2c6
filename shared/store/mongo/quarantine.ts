/**
 * Owns batches that wait until they are understood, or let in, each encrypted under a data key of its own that goes when the batch is released, and the
 * mapping tables that operators add.
 */
import type { Collection, Db } from 'mongodb';
import { decrypt, encrypt, type MasterRing, newDataKey, placeOf, unwrapKey, wrapKey } from '../../governance/crypto.ts';
import { type EventMapping, eventMappingSchema } from '../../sources/mapping.ts';
import type { AddedMapping, Mappings, Quarantine, QuarantinedBatch } from '../ports.ts';
import { isDuplicateKey } from './driver-errors.ts';
import { COLLECTIONS, idOf, idsUnder } from './names.ts';

interface QuarantineDocument extends Omit<QuarantinedBatch, 'id'> {
  _id: string;
  tenant: string;
  state: 'prepared' | 'held' | 'released';
  kid?: string;
  key?: Uint8Array;
  box?: Uint8Array;
}

export const placeOfBody = (id: string): string => placeOf(COLLECTIONS.quarantine, 'body', id);

export function createQuarantineIndexes(db: Db): Promise<unknown> {
  return db
    .collection(COLLECTIONS.quarantine)
    .createIndexes([{ key: { tenant: 1, state: 1, heldAt: 1 }, name: 'waiting' }]);
}

class MongoQuarantine implements Quarantine {
  readonly #batches: Collection<QuarantineDocument>;
  readonly #ring: MasterRing;
  readonly #clock: () => number;

  constructor(db: Db, ring: MasterRing, clock: () => number) {
    this.#batches = db.collection<QuarantineDocument>(COLLECTIONS.quarantine);
    this.#ring = ring;
    this.#clock = clock;
  }

  async prepare(...[tenant, { id, ...batch }, body]: Parameters<Quarantine['prepare']>): Promise<void> {
    const _id = idOf(tenant, id);
    const dataKey = newDataKey();
    const sealed = {
      ...batch,
      ...wrapKey(this.#ring, dataKey, placeOfBody(_id)),
      box: encrypt(dataKey, body, placeOfBody(_id)),
    };
    const document = { tenant, ...sealed, state: 'prepared' as const, heldAt: this.#clock() };
    try {
      await this.#batches.replaceOne({ _id, state: 'prepared' }, document, { upsert: true });
    } catch (thrown) {
      if (!isDuplicateKey(thrown)) throw thrown; // an earlier attempt was followed already
    }
  }

  async hold(tenant: string, id: string): Promise<void> {
    await this.#batches.updateOne({ _id: idOf(tenant, id), state: 'prepared' }, { $set: { state: 'held' } });
  }

  async *list(...[tenant, filter = {}]: Parameters<Quarantine['list']>): AsyncGenerator<QuarantinedBatch> {
    const held = this.#batches.find(
      { tenant, state: 'held', ...filter },
      { projection: { kid: 0, key: 0, box: 0 }, sort: { heldAt: 1, _id: 1 } },
    );
    for await (const document of held) yield toBatch(document);
  }

  async open(tenant: string, id: string): ReturnType<Quarantine['open']> {
    const _id = idOf(tenant, id);
    const found = await this.#batches.findOne({ _id, state: 'held' });
    if (found?.kid === undefined || found.key === undefined || found.box === undefined) return undefined;
    const what = `quarantine ${id}`;
    const dataKey = unwrapKey(this.#ring, { kid: found.kid, key: found.key }, placeOfBody(_id), what);
    return { batch: toBatch(found), body: decrypt(dataKey, found.box, placeOfBody(_id), what) };
  }

  async release(tenant: string, id: string): Promise<boolean> {
    const { modifiedCount } = await this.#batches.updateOne(
      { _id: idOf(tenant, id), state: 'held' },
      { $set: { state: 'released', releasedAt: this.#clock() }, $unset: { kid: '', key: '', box: '' } },
    );
    return modifiedCount === 1;
  }
}

function toBatch(document: Omit<QuarantineDocument, 'kid' | 'key' | 'box'>): QuarantinedBatch {
  const { _id, tenant, source, schema, reason, records, heldAt } = document;
  const version = schema === undefined ? {} : { schema };
  return { id: _id.slice(tenant.length + 1), source, ...version, reason, records, heldAt };
}

interface MappingDocument extends Omit<AddedMapping, 'mapping'> {
  _id: string;
  /** JSON: names of members may hold dots, which the store would take for paths. */
  mapping: string;
}

const tableOf = (text: string): EventMapping => eventMappingSchema.parse(JSON.parse(text));

class MongoMappings implements Mappings {
  readonly #mappings: Collection<MappingDocument>;
  readonly #clock: () => number;

  constructor(db: Db, clock: () => number) {
    this.#mappings = db.collection<MappingDocument>(COLLECTIONS.mappings);
    this.#clock = clock;
  }

  async read(tenant: string, source: string, schema: string): Promise<EventMapping | undefined> {
    const found = await this.#mappings.findOne({ _id: idOf(tenant, source, schema) });
    return found === null ? undefined : tableOf(found.mapping);
  }

  async write(tenant: string, source: string, schema: string, mapping: EventMapping): Promise<void> {
    const document = { source, schema, mapping: JSON.stringify(mapping), addedAt: this.#clock() };
    await this.#mappings.replaceOne({ _id: idOf(tenant, source, schema) }, document, { upsert: true });
  }

  async list(tenant: string): Promise<AddedMapping[]> {
    const found = await this.#mappings
      .find({ _id: idsUnder(tenant) })
      .sort({ _id: 1 })
      .toArray();
    return found.map(({ _id, mapping, ...rest }) => ({ ...rest, mapping: tableOf(mapping) }));
  }
}

export function mongoQuarantine(db: Db, ring: MasterRing, clock: () => number): Quarantine {
  return new MongoQuarantine(db, ring, clock);
}

export function mongoMappings(db: Db, clock: () => number): Mappings {
  return new MongoMappings(db, clock);
}
