/** Owns what a deployment says of itself: one document a version, never changed. */
import type { Collection, Db } from 'mongodb';
import { type Organisation, organisationSchema, type OrganisationVersion } from '../../governance/organisation.ts';
import { canonicalJson } from '../../governance/signing.ts';
import { AppError } from '../../errors.ts';
import type { Organisations } from '../ports.ts';
import { isDuplicateKey } from './driver-errors.ts';
import { COLLECTIONS, idOf, idsUnder, sequenceText } from './names.ts';

interface OrganisationDocument {
  _id: string;
  version: number;
  at: number;
  said: Organisation;
}

/** Writers that one call gives way to. */
const TURNS_MAX = 20;

class MongoOrganisations implements Organisations {
  readonly #versions: Collection<OrganisationDocument>;
  readonly #clock: () => number;

  constructor(db: Db, clock: () => number) {
    this.#versions = db.collection<OrganisationDocument>(COLLECTIONS.organisations);
    this.#clock = clock;
  }

  async current(tenant: string): Promise<OrganisationVersion | undefined> {
    return (await this.history(tenant, 1))[0];
  }

  async history(tenant: string, limit: number): Promise<OrganisationVersion[]> {
    const found = this.#versions.find({ _id: idsUnder(tenant) }).sort({ _id: -1 });
    return (await found.limit(limit).toArray()).map(({ version, at, said }) => ({
      version,
      at,
      said: organisationSchema.parse(said),
    }));
  }

  async set(tenant: string, said: Organisation): Promise<OrganisationVersion> {
    for (let turn = 0; turn < TURNS_MAX; turn++) {
      const current = await this.current(tenant);
      if (current !== undefined && canonicalJson(current.said) === canonicalJson(said)) return current;
      const next = { version: (current?.version ?? 0) + 1, at: this.#clock(), said };
      try {
        await this.#versions.insertOne({ _id: idOf(tenant, sequenceText(next.version)), ...next });
        return next;
      } catch (thrown) {
        if (!isDuplicateKey(thrown)) throw thrown; // somebody else said something: after it
      }
    }
    throw new AppError('SERVICE_UNAVAILABLE', { message: 'What the organisation says has too many writers.' });
  }
}

export function mongoOrganisations(db: Db, clock: () => number): Organisations {
  return new MongoOrganisations(db, clock);
}
