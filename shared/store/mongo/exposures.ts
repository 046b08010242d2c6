/** Owns exposure records: what was shown to whom, at which place, with which propensity. One a response. */
import type { Collection, Db } from 'mongodb';
import type { Exposure, Exposures, SubjectKey } from '../ports.ts';
import { refusedAsDuplicates } from './driver-errors.ts';
import { COLLECTIONS, idOf } from './names.ts';

interface ExposureDocument extends Omit<Exposure, 'items'> {
  _id: string;
  /** 16 bytes an item, in order of position. */
  items: Uint8Array;
  propensities: readonly (number | null)[];
}

class MongoExposures implements Exposures {
  readonly #exposures: Collection<ExposureDocument>;

  constructor(db: Db) {
    this.#exposures = db.collection<ExposureDocument>(COLLECTIONS.exposures);
  }

  async write({ items, ...rest }: Exposure): Promise<void> {
    const keys = new Uint8Array(items.length * 16);
    items.forEach(({ item }, place) => keys.set(item, place * 16));
    const document: ExposureDocument = {
      ...rest,
      _id: idOf(rest.tenant, rest.requestId),
      items: keys,
      propensities: items.map(({ propensity }) => propensity),
    };
    await refusedAsDuplicates(this.#exposures, [document]);
  }

  async read(tenant: string, requestId: string): Promise<Exposure | undefined> {
    const found = await this.#exposures.findOne({ _id: idOf(tenant, requestId) });
    return found === null ? undefined : toExposure(found);
  }

  async of(tenant: string, subject: SubjectKey, limit: number): Promise<Exposure[]> {
    const own = { tenant, subject: Buffer.from(subject) };
    return (await this.#exposures.find(own).sort({ at: -1 }).limit(limit).toArray()).map(toExposure);
  }
}

function toExposure({ _id, items, propensities, ...rest }: ExposureDocument): Exposure {
  const shown = propensities.map((propensity, place) => ({
    item: items.subarray(place * 16, place * 16 + 16),
    propensity,
  }));
  return { ...rest, items: shown };
}

export function createExposureIndexes(db: Db): Promise<unknown> {
  return db
    .collection(COLLECTIONS.exposures)
    .createIndexes([{ key: { tenant: 1, subject: 1, at: -1 }, name: 'person' }]);
}

export function mongoExposures(db: Db): Exposures {
  return new MongoExposures(db);
}
