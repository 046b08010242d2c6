/**
 * Owns the audit trail in the store: one chain a tenant, in documents of some entries each.
 *
 * The ordered log gives a number first and is filled later; here an entry needs the hash of the one before, so number and hash are taken by one insert:
 * `_id` is the number of the first entry, and a duplicate key says that another process was faster. So there are no gaps, and a process that dies has
 * written its entries or not. What is told while a write is under way waits for the next one: many requests cost one round trip.
 */
import { createPublicKey, createSecretKey, type KeyObject, randomUUID, sign } from 'node:crypto';
import type { Collection, Db } from 'mongodb';
import { AppError } from '../../errors.ts';
import { deriveKey, type MasterRing } from '../../governance/crypto.ts';
import { canonicalJson, signingKeyOf } from '../../governance/signing.ts';
import { chain, ChainCheck, GENESIS, PRUNE_ACT, type Unchained } from '../../governance/trail-chain.ts';
import type { SignedTrailHead, Trail, TrailEntry, TrailNote, TrailQuery, TrailReport } from '../ports.ts';
import { isDuplicateKey } from './driver-errors.ts';
import { COLLECTIONS, idOf, idsUnder, sequenceText } from './names.ts';
import { TrailNames, UNKNOWN } from './trail-names.ts';

interface Group {
  _id: string;
  /** Of the write: an insert whose answer was lost knows its own. */
  by: string;
  /** Of its last entry. */
  at: number;
  entries: TrailEntry[];
}

interface Waiting {
  readonly notes: readonly TrailNote[];
  readonly done: () => void;
  readonly failed: (thrown: unknown) => void;
}

/** Entries of one document. */
const GROUP_MAX = 500;
/** Notes that wait for their write. */
const WAITING_MAX = 20_000;
/** Each try that fails is another process's success. */
const TRIES_MAX = 1_000;
const GROUPS_READ_AT_ONCE = 50;

type Tail = Pick<TrailEntry, 'n' | 'hash' | 'at'>;
const NOTHING: Tail = { n: 0, hash: GENESIS, at: 0 };

/** Writes of one tenant, one after the other. */
class Writer {
  tail: Tail | undefined;
  readonly #queue: Waiting[] = [];
  readonly #write: (notes: readonly TrailNote[]) => Promise<void>;
  #waiting = 0;
  #isBusy = false;

  constructor(write: (writer: Writer, notes: readonly TrailNote[]) => Promise<void>) {
    this.#write = (notes) => write(this, notes);
  }

  add(notes: readonly TrailNote[]): Promise<void> {
    if (this.#waiting + notes.length > WAITING_MAX)
      throw new AppError('TRAIL_UNAVAILABLE', { details: { waiting: this.#waiting } });
    this.#waiting += notes.length;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#queue.push({ notes, done: resolve, failed: reject });
    if (!this.#isBusy) void this.#work();
    return promise;
  }

  async #work(): Promise<void> {
    this.#isBusy = true;
    while (this.#queue.length > 0) {
      const group = this.#next();
      const notes = group.flatMap((one) => one.notes);
      try {
        await this.#write(notes);
        for (const { done } of group) done();
      } catch (cause) {
        const failure = new AppError('TRAIL_UNAVAILABLE', { cause });
        for (const { failed } of group) failed(failure);
      }
      this.#waiting -= notes.length;
    }
    this.#isBusy = false;
  }

  /** What waits, as long as it fits one document; at least one. */
  #next(): Waiting[] {
    let [count, taken] = [0, 0];
    while (taken < this.#queue.length && (taken === 0 || count + this.#queue[taken]!.notes.length <= GROUP_MAX)) {
      count += this.#queue[taken]!.notes.length;
      taken += 1;
    }
    return this.#queue.splice(0, taken);
  }
}

export interface TrailParts {
  readonly db: Db;
  readonly ring: MasterRing;
  readonly tenantKey: Uint8Array;
  readonly clock: () => number;
}

class MongoTrail implements Trail {
  readonly #groups: Collection<Group>;
  readonly #names: TrailNames;
  readonly #key: KeyObject;
  readonly #signingKey: KeyObject;
  readonly #publicKey: string;
  readonly #clock: () => number;
  readonly #writers = new Map<string, Writer>();
  readonly #listeners: ((head: SignedTrailHead) => void)[] = [];

  constructor({ db, ring, tenantKey, clock }: TrailParts) {
    this.#groups = db.collection<Group>(COLLECTIONS.trail);
    this.#names = new TrailNames(db, ring);
    this.#key = createSecretKey(deriveKey(tenantKey, 'trail'));
    this.#signingKey = signingKeyOf(deriveKey(tenantKey, 'trail-heads'));
    this.#publicKey = createPublicKey(this.#signingKey).export({ type: 'spki', format: 'pem' }).toString();
    this.#clock = clock;
  }

  async note(tenant: string, notes: readonly TrailNote[]): Promise<void> {
    if (notes.length === 0) return;
    let writer = this.#writers.get(tenant);
    if (writer === undefined) {
      writer = new Writer((own, waiting) => this.#write(own, tenant, waiting));
      this.#writers.set(tenant, writer);
    }
    await writer.add(notes);
  }

  async #write(writer: Writer, tenant: string, notes: readonly TrailNote[]): Promise<void> {
    const entries = await this.#unchained(tenant, notes);
    const by = randomUUID();
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      writer.tail ??= await this.#tail(tenant);
      const linked = chain(this.#key, tenant, writer.tail, entries);
      const last = linked.at(-1)!;
      if (await this.#insert({ _id: groupId(tenant, writer.tail.n + 1), by, at: last.at, entries: linked })) {
        writer.tail = last;
        this.#tell(tenant, last);
        return;
      }
      writer.tail = undefined;
    }
    throw new AppError('SERVICE_UNAVAILABLE', { message: 'The audit trail has too many writers.' });
  }

  async #unchained(tenant: string, notes: readonly TrailNote[]): Promise<Unchained[]> {
    const about = notes.flatMap(({ subject }) => (subject === undefined ? [] : [subject]));
    const names = about.length === 0 ? [] : await this.#names.of(tenant, about);
    let next = 0;
    return notes.map(({ subject, ...note }) => {
      if (subject === undefined) return note;
      const person = names[next++]!;
      return { ...note, ...(note.actor.kind === 'person' && { actor: { ...note.actor, id: person } }), person };
    });
  }

  /** False: another's entries are there. */
  async #insert(group: Group): Promise<boolean> {
    try {
      await this.#groups.insertOne(group);
      return true;
    } catch (thrown) {
      if (!isDuplicateKey(thrown)) throw thrown;
      const there = await this.#groups.findOne({ _id: group._id }, { projection: { by: 1 } });
      return there?.by === group.by;
    }
  }

  async #tail(tenant: string): Promise<Tail> {
    const [last] = await this.#groups
      .find({ _id: idsUnder(tenant) })
      .sort({ _id: -1 })
      .limit(1)
      .toArray();
    return last?.entries.at(-1) ?? NOTHING;
  }

  #tell(tenant: string, tail: Tail): void {
    if (this.#listeners.length === 0) return;
    const signed = this.#signed(tenant, tail);
    for (const listener of this.#listeners) listener(signed);
  }

  #signed(tenant: string, { n, hash, at }: Tail): SignedTrailHead {
    const head = { tenant, n, hash, at };
    const signature = sign(null, Buffer.from(canonicalJson(head)), this.#signingKey).toString('base64');
    return { head, signature, publicKey: this.#publicKey };
  }

  async head(tenant: string): Promise<SignedTrailHead | undefined> {
    const tail = await this.#tail(tenant);
    return tail.n === 0 ? undefined : this.#signed(tenant, tail);
  }

  onHead(listener: (head: SignedTrailHead) => void): void {
    this.#listeners.push(listener);
  }

  async read(tenant: string, query: TrailQuery, limit: number): Promise<TrailEntry[]> {
    const { since = 0, before = Number.MAX_SAFE_INTEGER, subject } = query;
    const person = subject === undefined ? undefined : (await this.#names.of(tenant, [subject]))[0];
    if (person === UNKNOWN) return [];
    const found: TrailEntry[] = [];
    const _id = { ...idsUnder(tenant), $lt: before < 1e12 ? groupId(tenant, before) : idsUnder(tenant).$lt };
    for await (const { entries, at } of this.#groups
      .find({ _id }, { batchSize: GROUPS_READ_AT_ONCE })
      .sort({ _id: -1 })) {
      for (const entry of entries.toReversed())
        if (entry.n < before && entry.at >= since && fits(entry, query, person) && found.length < limit)
          found.push(entry);
      if (found.length >= limit || at < since) break;
    }
    return found;
  }

  async verify(tenant: string, heads: readonly SignedTrailHead[] = []): Promise<TrailReport> {
    const check = new ChainCheck(this.#key, tenant, heads, this.#publicKey);
    const found = this.#groups.find({ _id: idsUnder(tenant) }, { batchSize: GROUPS_READ_AT_ONCE }).sort({ _id: 1 });
    for await (const { entries } of found) for (const entry of entries) check.take(entry);
    return check.report();
  }

  /** The note goes in first: a removal that was cut off is finished by the next one, and nothing is ever missing without a note of it. */
  async prune(tenant: string, beforeMs: number): Promise<number> {
    const old = await this.#groups
      .find({ _id: idsUnder(tenant), at: { $lt: beforeMs } })
      .sort({ _id: -1 })
      .limit(1)
      .toArray();
    const last = old[0]?.entries.at(-1);
    if (last === undefined) return 0;
    const ids = [String(last.n), last.hash];
    const actor = { kind: 'run', id: 'retention' } as const;
    await this.note(tenant, [{ actor, act: PRUNE_ACT, object: 'trail', ids, outcome: 'allowed', at: this.#clock() }]);
    const gone = { $gte: idsUnder(tenant).$gte, $lte: old[0]!._id };
    const first = await this.#groups.find({ _id: gone }).sort({ _id: 1 }).limit(1).toArray();
    await this.#groups.deleteMany({ _id: gone });
    return last.n + 1 - (first[0]?.entries[0]?.n ?? last.n + 1);
  }

  async tenants(): Promise<string[]> {
    const tenants: string[] = [];
    for (let after = ''; ; after = `${tenants.at(-1)}/`) {
      const [next] = await this.#groups
        .find({ _id: { $gt: after } }, { projection: { _id: 1 } })
        .sort({ _id: 1 })
        .limit(1)
        .toArray();
      if (next === undefined) return tenants;
      tenants.push(next._id.slice(0, next._id.indexOf('.')));
    }
  }
}

const groupId = (tenant: string, n: number): string => idOf(tenant, sequenceText(n));

function fits(entry: TrailEntry, { actor, act, outcome }: TrailQuery, person: string | undefined): boolean {
  return (
    (actor === undefined || entry.actor.id === actor || entry.actor.kind === actor) &&
    (act === undefined || entry.act === act) &&
    (outcome === undefined || entry.outcome === outcome || (outcome === 'refused' && entry.outcome !== 'allowed')) &&
    (person === undefined || entry.person === person)
  );
}

export function mongoTrail(parts: TrailParts): Trail {
  return new MongoTrail(parts);
}
