/**
 * Owns wrapping data keys anew under the current master key. Documents are taken page by page in the order of their ids; each is changed only where its
 * wrapped key is still the one that was read, so that whoever writes or shreds meanwhile goes first. What is left says where to go on: nothing else is noted.
 */
import type { Db } from 'mongodb';
import { AppError } from '../../errors.ts';
import { masterKeyMissing, type MasterRing, rewrapKey } from '../../governance/crypto.ts';
import type { Keyring, MasterKeyStatus, Rewrapped } from '../ports.ts';
import { KnownKeys, type KeyringParts } from './keyring.ts';
import { sealedIn } from './sealed.ts';
import {
  countsOf,
  isWrapped,
  valueAt,
  WRAPPED,
  type WrappedDocument,
  type WrappedPlace,
  wrappedIn,
} from './wrapped.ts';

/** Passes until nothing is left: others write meanwhile, maybe still under an older key. */
const PASSES_MAX = 10;

type Counts = ReadonlyMap<string, ReadonlyMap<string, number>>;

class MongoKeyring implements Keyring {
  readonly #db: Db;
  readonly #ring: MasterRing;
  readonly #known: KnownKeys;

  constructor(parts: KeyringParts, known: KnownKeys) {
    this.#db = parts.db;
    this.#ring = parts.ring;
    this.#known = known;
  }

  get current(): string {
    return this.#ring.keys[0]!.id;
  }

  async masters(): Promise<MasterKeyStatus[]> {
    const counts = await this.#counts();
    const { masters = [] } = (await this.#known.read()) ?? {};
    const held = this.#ring.keys.map(({ id }) => id);
    const used = [...counts.values()].flatMap((of) => [...of.keys()]);
    return [...new Set([...held, ...masters.map(({ id }) => id), ...used])].map((id) => {
      const known = masters.find((master) => master.id === id);
      const wraps = [...counts].flatMap(([collection, of]) => (of.has(id) ? [[collection, of.get(id)!] as const] : []));
      return {
        id,
        current: id === this.current,
        held: held.includes(id),
        ...(known && { since: known.since }),
        ...(known?.retiredAt !== undefined && { retiredAt: known.retiredAt }),
        wraps: Object.fromEntries(wraps),
      };
    });
  }

  async rotate({ signal, onProgress }: Parameters<Keyring['rotate']>[0]): Promise<Rewrapped> {
    const before = await this.#counts();
    const unheld = idsIn(before).filter((id) => this.#ring.keys.every((key) => key.id !== id));
    if (unheld.length > 0) throw masterKeyMissing(unheld, 'A part of this database');
    const total = sumOf(before, this.current);
    let rewrapped = 0;
    for (let pass = 0; ; pass++) {
      let unreadable = 0;
      for (const place of WRAPPED)
        for await (const page of this.#pages(place)) {
          signal.throwIfAborted();
          const done = await this.#rewrap(place, page);
          rewrapped += done.rewrapped;
          unreadable += done.unreadable;
          onProgress?.(Math.min(rewrapped, total), total);
        }
      const counts = await this.#counts();
      const left = sumOf(counts, this.current);
      if (left > unreadable && pass < PASSES_MAX) continue;
      await this.#retire(counts);
      return { rewrapped, left, unreadable };
    }
  }

  /** Keys that wrap nothing any more: a process may start without them. */
  async #retire(counts: Counts): Promise<void> {
    const used = new Set([...idsIn(counts), this.current]);
    const { masters = [] } = (await this.#known.read()) ?? {};
    const unused = masters.filter(({ id, retiredAt }) => !used.has(id) && retiredAt === undefined);
    if (unused.length > 0) await this.#known.retire(new Set(unused.map(({ id }) => id)));
  }

  async #counts(): Promise<Counts> {
    const counts = new Map<string, ReadonlyMap<string, number>>();
    for (const place of WRAPPED) counts.set(place.collection, await countsOf(this.#db, place));
    return counts;
  }

  async *#pages(place: WrappedPlace): AsyncGenerator<WrappedDocument[]> {
    const projection = Object.fromEntries([place.kid, place.key, ...(place.needs ?? [])].map((path) => [path, 1]));
    for (let last = ''; ; ) {
      const page = await wrappedIn(this.#db, place)
        .find(
          { _id: { $gt: last }, ...isWrapped(place), [place.kid]: { $exists: true, $ne: this.current } },
          { projection },
        )
        .sort({ _id: 1 })
        .limit(place.atOnce)
        .toArray();
      if (page.length > 0) yield page;
      if (page.length < place.atOnce) return;
      last = page.at(-1)!._id;
    }
  }

  async #rewrap(
    place: WrappedPlace,
    page: readonly WrappedDocument[],
  ): Promise<{ readonly rewrapped: number; readonly unreadable: number }> {
    let unreadable = 0;
    const updates = page.flatMap((document) => {
      const key = valueAt(document, place.key);
      if (!(key instanceof Uint8Array)) return [];
      const kid = String(valueAt(document, place.kid));
      try {
        const next = rewrapKey(this.#ring, { kid, key }, place.placeOf(document), place.collection);
        const filter = { _id: document._id, [place.key]: key };
        return [{ updateOne: { filter, update: { $set: { [place.kid]: next.kid, [place.key]: next.key } } } }];
      } catch (thrown) {
        // Somebody with a newer ring may have written it since: the next pass tells.
        if (!(thrown instanceof AppError) || thrown.code !== 'BLOCK_CORRUPT') throw thrown;
        unreadable++;
        return [];
      }
    });
    if (updates.length === 0) return { rewrapped: 0, unreadable };
    const { modifiedCount } = await wrappedIn(this.#db, place).bulkWrite(updates, { ordered: false });
    return { rewrapped: modifiedCount, unreadable };
  }

  admitSeals(ids: readonly string[]): Promise<void> {
    return this.#known.admitSeals(ids);
  }

  seals(ids: readonly string[]): ReturnType<Keyring['seals']> {
    return this.#known.seals(ids);
  }

  sealed(): ReturnType<Keyring['sealed']> {
    return sealedIn(this.#db);
  }

  forgetSeals(): Promise<void> {
    return this.#known.forgetSeals();
  }
}

const idsIn = (counts: Counts): string[] => [...new Set([...counts.values()].flatMap((of) => [...of.keys()]))];

function sumOf(counts: Counts, but: string): number {
  let sum = 0;
  for (const of of counts.values()) for (const [id, n] of of) if (id !== but) sum += n;
  return sum;
}

export function mongoKeyring(parts: KeyringParts, known: KnownKeys): Keyring {
  return new MongoKeyring(parts, known);
}
