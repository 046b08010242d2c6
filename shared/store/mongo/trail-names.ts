/**
 * Owns how people are called in the audit trail: a pseudonym under the person's own data key, which lies in their envelope. With the envelope the key
 * goes, and nobody can tell any more whom the entries were about; who comes back has another one.
 */
import { createHmac } from 'node:crypto';
import type { Collection, Db } from 'mongodb';
import { deriveKey, type MasterRing, unwrapKey } from '../../governance/crypto.ts';
import type { SubjectKey } from '../ports.ts';
import { BoundedCache } from './bounded-cache.ts';
import { chunksOf, COLLECTIONS, entityId } from './names.ts';
import { envelopePlace } from './people.ts';

/** Of whom nothing is held. */
export const UNKNOWN = 'unknown';
const NAMES_MAX = 20_000;
/** The longest that a process still knows the pseudonym of somebody who was erased. */
const NAME_KEPT_MS = 5_000;
const NAME_BYTES = 16;

interface KeyDocument {
  _id: string;
  kid?: string;
  key?: Uint8Array;
}

export class TrailNames {
  readonly #people: Collection<KeyDocument>;
  readonly #ring: MasterRing;
  readonly #known = new BoundedCache<{ readonly name: string; readonly at: number }>(NAMES_MAX);

  constructor(db: Db, ring: MasterRing) {
    this.#people = db.collection<KeyDocument>(COLLECTIONS.people);
    this.#ring = ring;
  }

  /** In the order of the subjects. One read for all whom this process has not met in the last seconds. */
  async of(tenant: string, subjects: readonly SubjectKey[]): Promise<string[]> {
    const ids = subjects.map((subject) => entityId(tenant, subject));
    const now = performance.now();
    const names = new Map<string, string>();
    const missing = new Set<string>();
    for (const id of ids) {
      const known = this.#known.get(id);
      if (known !== undefined && now - known.at < NAME_KEPT_MS) names.set(id, known.name);
      else missing.add(id);
    }
    for (const chunk of chunksOf([...missing])) {
      const found = this.#people.find({ _id: { $in: [...chunk] } }, { projection: { kid: 1, key: 1 } });
      for (const document of await found.toArray()) {
        const name = this.#nameOf(document);
        names.set(document._id, name);
        if (name !== UNKNOWN) this.#known.set(document._id, { name, at: now });
      }
    }
    return ids.map((id) => names.get(id) ?? UNKNOWN);
  }

  #nameOf({ _id, kid, key }: KeyDocument): string {
    if (kid === undefined || key === undefined) return UNKNOWN;
    const dataKey = unwrapKey(this.#ring, { kid, key }, envelopePlace(_id), COLLECTIONS.people);
    const own = deriveKey(dataKey, 'trail');
    return createHmac('sha256', own)
      .update(_id)
      .digest('hex')
      .slice(0, 2 * NAME_BYTES);
  }
}
