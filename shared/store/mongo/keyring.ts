/**
 * Owns what a store knows of its keys without having them: a check value of each master key, of the tenant key, and the names of seal keys. A process
 * with other keys is refused before it has written anything; a current master key that is new joins those that are known, once one of them is proven.
 */
import { timingSafeEqual } from 'node:crypto';
import type { Collection, Db } from 'mongodb';
import { AppError } from '../../errors.ts';
import {
  decrypt,
  deriveKey,
  encrypt,
  keyIdOf,
  masterKeyMissing,
  type MasterRing,
  placeOf,
  unwrapKey,
} from '../../governance/crypto.ts';
import { hexOf, type PersonalKeys } from '../../governance/keys.ts';
import type { SealKeyStatus } from '../ports.ts';
import { isDuplicateKey } from './driver-errors.ts';
import { COLLECTIONS } from './names.ts';
import { isWrapped, valueAt, WRAPPED, type WrappedPlace, wrappedIn } from './wrapped.ts';

interface KnownMaster {
  readonly id: string;
  /** A fixed text under the key. */
  readonly check: Uint8Array;
  readonly since: number;
  /** Nothing lay under it then, after a rotation. */
  readonly retiredAt?: number;
}

interface KnownSeal {
  readonly id: string;
  /** Since when it has been the first of the keys of a worker or a gateway. */
  readonly currentSince?: number;
}

export interface KeyringDocument {
  readonly _id: string;
  /** Raised with every change. */
  readonly seq: number;
  readonly tenant: { readonly id: string; readonly check: Uint8Array };
  readonly masters: readonly KnownMaster[];
  readonly seals: readonly KnownSeal[];
}

const ID = 'keys';
const CHECKED = Buffer.from('millrace');
/** Turns of writers who meet. */
const TURNS_MAX = 100;

const checkPlace = (id: string): string => placeOf(COLLECTIONS.keyring, 'check', id);
const tenantCheck = (tenantKey: Uint8Array): Buffer => deriveKey(tenantKey, 'check');

export interface KeyringParts {
  readonly db: Db;
  readonly ring: MasterRing;
  readonly tenantKey: Uint8Array;
  readonly personal: PersonalKeys;
  readonly clock: () => number;
}

export class KnownKeys {
  readonly #documents: Collection<KeyringDocument>;
  readonly #parts: KeyringParts;

  constructor(parts: KeyringParts) {
    this.#documents = parts.db.collection<KeyringDocument>(COLLECTIONS.keyring);
    this.#parts = parts;
  }

  async read(): Promise<KeyringDocument | undefined> {
    return (await this.#documents.findOne({ _id: ID })) ?? undefined;
  }

  /** Throws KEY_WRONG and MASTER_KEY_MISSING before anything is written. */
  async admit(): Promise<void> {
    const known = (await this.read()) ?? (await this.#begin());
    this.#check(known);
    const { id } = this.#parts.ring.keys[0]!;
    const current = known.masters.find((master) => master.id === id);
    if (current !== undefined && current.retiredAt === undefined) return;
    await this.#change((now) => {
      const others = now.masters.filter((master) => master.id !== id);
      return { masters: [...others, this.#masterOf(current?.since ?? this.#parts.clock())] };
    });
  }

  /** Every key under which something lies must be there, and be what it says it is. */
  #check({ tenant, masters }: KeyringDocument): void {
    const { ring, tenantKey } = this.#parts;
    if (!timingSafeEqual(tenantCheck(tenantKey), tenant.check))
      throw wrong('tenant', [tenant.id], [keyIdOf(tenantKey)]);
    const given = ring.keys.map(({ id }) => id);
    const inUse = masters.filter(({ retiredAt }) => retiredAt === undefined);
    const missing = inUse.filter(({ id }) => !given.includes(id)).map(({ id }) => id);
    if (missing.length === inUse.length) throw wrong('master', missing, given);
    for (const { id, check } of inUse) {
      const held = ring.keys.find((key) => key.id === id);
      if (held !== undefined && !opens(held.key, check, id)) throw wrong('master', [id], given);
    }
    if (missing.length > 0) throw masterKeyMissing(missing, 'A part of this database');
  }

  #masterOf(since: number): KnownMaster {
    const { id, key } = this.#parts.ring.keys[0]!;
    return { id, check: encrypt(key, CHECKED, checkPlace(id)), since };
  }

  /** A store that was never opened, or by a version that did not note its keys: then what is in it says whether they are its own. */
  async #begin(): Promise<KeyringDocument> {
    const { db, tenantKey, clock } = this.#parts;
    await Promise.all(WRAPPED.map((place) => this.#refuseForeign(db, place)));
    const tenant = { id: keyIdOf(tenantKey), check: tenantCheck(tenantKey) };
    const first = { _id: ID, seq: 0, tenant, masters: [this.#masterOf(clock())], seals: [] };
    try {
      await this.#documents.insertOne(first);
      return first;
    } catch (thrown) {
      const other = isDuplicateKey(thrown) ? await this.read() : undefined;
      if (other === undefined) throw thrown;
      return other;
    }
  }

  async #refuseForeign(db: Db, place: WrappedPlace): Promise<void> {
    const found = await wrappedIn(db, place).findOne(isWrapped(place));
    if (found === null) return;
    const { ring, tenantKey, personal } = this.#parts;
    const kid = String(valueAt(found, place.kid));
    const given = ring.keys.map(({ id }) => id);
    if (!given.includes(kid)) throw wrong('master', [kid], given);
    const wrapped = { kid, key: valueAt(found, place.key) as Uint8Array };
    const dataKey = unwrapKey(ring, wrapped, place.placeOf(found), place.collection);
    if (place.collection !== COLLECTIONS.people) return;
    const box = found.box as Uint8Array;
    const { id } = JSON.parse(decrypt(dataKey, box, place.placeOf(found), place.collection).toString()) as {
      id: string;
    };
    const dot = found._id.indexOf('.');
    if (hexOf(personal.subject(found._id.slice(0, dot), id)) !== found._id.slice(dot + 1))
      throw wrong('tenant', ['another one'], [keyIdOf(tenantKey)]);
  }

  async retire(ids: ReadonlySet<string>): Promise<void> {
    const retiredAt = this.#parts.clock();
    await this.#change(({ masters }) => ({
      masters: masters.map((master) => (ids.has(master.id) ? { retiredAt, ...master } : master)),
    }));
  }

  /** Throws KEY_WRONG when seal keys are known and none of these is one of them. */
  async admitSeals(ids: readonly string[]): Promise<void> {
    const { seals = [] } = (await this.read()) ?? {};
    if (seals.length > 0 && !seals.some(({ id }) => ids.includes(id)))
      throw wrong(
        'seal',
        seals.map(({ id }) => id),
        ids,
      );
    const [current] = ids;
    if (
      ids.every((id) => seals.some((seal) => seal.id === id)) &&
      seals.find(({ currentSince }) => currentSince !== undefined)?.id === current
    )
      return;
    await this.#change((now) => ({ seals: withCurrent(now.seals, ids, this.#parts.clock()) }));
  }

  async seals(ids: readonly string[]): Promise<SealKeyStatus[]> {
    const { seals = [] } = (await this.read()) ?? {};
    const unknown = ids.filter((id) => seals.every((seal) => seal.id !== id)).map((id): KnownSeal => ({ id }));
    return [...seals, ...unknown].map((seal) => ({
      ...seal,
      current: seal.id === ids[0],
      held: ids.includes(seal.id),
    }));
  }

  async forgetSeals(): Promise<void> {
    await this.#change(() => ({ seals: [] }));
  }

  async #change(next: (now: KeyringDocument) => Partial<KeyringDocument>): Promise<void> {
    for (let turn = 0; turn < TURNS_MAX; turn++) {
      const now = await this.read();
      if (now === undefined) return; // dropped with its database
      const { seq } = now;
      const done = await this.#documents.updateOne({ _id: ID, seq }, { $set: { ...next(now), seq: seq + 1 } });
      if (done.matchedCount === 1) return;
    }
    throw new AppError('SERVICE_UNAVAILABLE', { message: 'The keyring has too many writers.' });
  }
}

function withCurrent(seals: readonly KnownSeal[], ids: readonly string[], at: number): KnownSeal[] {
  const [current = ''] = ids;
  const since = seals.find(({ id }) => id === current)?.currentSince ?? at;
  const others = [...seals.map(({ id }) => id), ...ids].filter((id) => id !== current);
  return [{ id: current, currentSince: since }, ...[...new Set(others)].map((id) => ({ id }))];
}

function opens(key: Parameters<typeof decrypt>[0], check: Uint8Array, id: string): boolean {
  try {
    return decrypt(key, check, checkPlace(id), COLLECTIONS.keyring).equals(CHECKED);
  } catch {
    return false;
  }
}

function wrong(name: 'master' | 'tenant' | 'seal', needed: readonly string[], given: readonly string[]): AppError {
  return new AppError('KEY_WRONG', {
    message: `This database was written with ${name} key ${needed.join(' or ')}; given is ${given.join(', ')}.`,
    details: { key: name, needed, given },
  });
}
