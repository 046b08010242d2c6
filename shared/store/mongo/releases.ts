/**
 * Owns releases and the one pointer a tenant has. The pointer is moved by compare-and-set on `seq`; a release that speaks
 * of an earlier moment than the live one comes too late, and a held pointer does not move.
 */
import type { Collection, Db } from 'mongodb';
import type { Pointer, PointerChange, Release, Releases } from '../ports.ts';
import { isDuplicateKey } from './driver-errors.ts';

type StoredPointer = Pointer & { _id: string };
type StoredRelease = Release & {
  _id: string;
  /** Since when nobody names it; kept by collection. */
  unnamedAt?: number;
};

/** Changes that a pointer remembers. */
const CHANGES_MAX = 50;

// The candidate is a pointer of its own; promoting it is `point` of the live one to its version.
const candidateId = (tenant: string): string => `${tenant}.candidate`;
const pointerId = (tenant: string): string => `${tenant}.release`;
const releaseId = (tenant: string, version: string): string => `${tenant}.${version}`;

function withoutId<T extends { _id: string; unnamedAt?: number }>({
  _id,
  unnamedAt: _unnamedAt,
  ...rest
}: T): Omit<T, '_id' | 'unnamedAt'> {
  return rest;
}

function changed(
  current: Pointer | undefined,
  next: Pick<Pointer, 'asOf' | 'runKey' | 'version' | 'hold'>,
  change: Pick<PointerChange, 'did' | 'by' | 'reason'>,
): Pointer {
  const { asOf, runKey, version, hold } = next;
  const seq = (current?.seq ?? 0) + 1;
  const { did, by, reason } = change;
  const last = { seq, did, by, ...(reason === undefined ? {} : { reason }), at: Date.now(), version, hold };
  return { seq, asOf, runKey, version, hold, changes: [...(current?.changes ?? []), last].slice(-CHANGES_MAX) };
}

class MongoReleases implements Releases {
  readonly #pointers: Collection<StoredPointer>;
  readonly #releases: Collection<StoredRelease>;

  constructor(db: Db) {
    this.#pointers = db.collection<StoredPointer>('pointers');
    this.#releases = db.collection<StoredRelease>('releases');
  }

  async write(release: Release): Promise<void> {
    try {
      await this.#releases.insertOne({ _id: releaseId(release.tenant, release.version), ...release });
    } catch (thrown) {
      if (!isDuplicateKey(thrown)) throw thrown; // an earlier attempt of the same run wrote the same document
    }
  }

  async read(tenant: string, version: string): Promise<Release | undefined> {
    const found = await this.#releases.findOne({ _id: releaseId(tenant, version) });
    if (found === null) return undefined;
    // Who reads what nobody names any more takes its mark off: it stays for another window, or was gone before.
    if (found.unnamedAt !== undefined) {
      const asked = await this.#releases.updateOne({ _id: found._id }, { $unset: { unnamedAt: '' } });
      if (asked.matchedCount === 0) return undefined;
    }
    return withoutId(found);
  }

  async pointer(tenant: string): Promise<Pointer | undefined> {
    const found = await this.#pointers.findOne({ _id: pointerId(tenant) });
    return found === null ? undefined : withoutId(found);
  }

  async live(tenant: string): Promise<Release | undefined> {
    const pointer = await this.pointer(tenant);
    return pointer === undefined ? undefined : this.read(tenant, pointer.version);
  }

  async move(tenant: string, expectedSeq: number, next: Omit<Pointer, 'seq' | 'hold'>): ReturnType<Releases['move']> {
    const current = await this.pointer(tenant);
    if (current?.runKey === next.runKey) return 'moved';
    if (current !== undefined && next.asOf < current.asOf) return 'late';
    if (current?.hold === true) return 'held';
    if ((current?.seq ?? 0) !== expectedSeq) return 'conflict';
    const moved = changed(current, { ...next, hold: false }, { did: 'publish', by: next.runKey });
    if (current === undefined) return this.#first(tenant, moved);
    return (await this.#set(tenant, expectedSeq, moved)) ? 'moved' : 'conflict';
  }

  async point(
    tenant: string,
    expectedSeq: number,
    next: Pick<Pointer, 'asOf' | 'runKey' | 'version' | 'hold'>,
    change: Pick<PointerChange, 'did' | 'by' | 'reason'>,
  ): Promise<boolean> {
    const current = await this.pointer(tenant);
    if (current?.seq !== expectedSeq) return false;
    return this.#set(tenant, expectedSeq, changed(current, next, change));
  }

  /** Every change raises `seq`, holds too: who read the pointer before one of them sets nothing. */
  async #set(tenant: string, expectedSeq: number, pointer: Pointer): Promise<boolean> {
    const result = await this.#pointers.updateOne({ _id: pointerId(tenant), seq: expectedSeq }, { $set: pointer });
    return result.matchedCount === 1;
  }

  async #first(tenant: string, pointer: Pointer): Promise<'moved' | 'conflict'> {
    try {
      await this.#pointers.insertOne({ _id: pointerId(tenant), ...pointer });
      return 'moved';
    } catch (thrown) {
      if (isDuplicateKey(thrown)) return 'conflict';
      throw thrown;
    }
  }

  async candidate(tenant: string): Promise<Pointer | undefined> {
    const found = await this.#pointers.findOne({ _id: candidateId(tenant) });
    return found === null ? undefined : withoutId(found);
  }

  async propose(tenant: string, next: Pick<Pointer, 'asOf' | 'runKey' | 'version'>): Promise<boolean> {
    const _id = candidateId(tenant);
    const current = await this.candidate(tenant);
    if (current?.runKey === next.runKey) return true;
    const pointer = changed(current, { ...next, hold: false }, { did: 'publish', by: next.runKey });
    try {
      const mine = { _id, asOf: { $lte: next.asOf } };
      const { matchedCount, upsertedCount } = await this.#pointers.replaceOne(mine, pointer, { upsert: true });
      return matchedCount + upsertedCount > 0;
    } catch (thrown) {
      if (isDuplicateKey(thrown)) return false; // one of a later moment is there: the upsert met its key
      throw thrown;
    }
  }

  async history(tenant: string, limit: number): Promise<Release[]> {
    const found = await this.#releases.find({ tenant }).sort({ createdAt: -1 }).limit(limit).toArray();
    return found.map(withoutId);
  }
}

export function mongoReleases(db: Db): Releases {
  return new MongoReleases(db);
}

export async function createReleaseIndexes(db: Db): Promise<void> {
  await db.collection('releases').createIndexes([{ key: { tenant: 1, createdAt: -1 }, name: 'history' }]);
}
