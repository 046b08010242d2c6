/** Owns payload claims: inputs too large for Redis, kept until the run that uses them has ended. Personal ones come sealed. */
import { hash, randomBytes } from 'node:crypto';
import type { Collection, Db } from 'mongodb';
import { AppError } from '../../errors.ts';
import { sealKeyOf } from '../../contract-kit/seal.ts';
import type { Claims, StoredClaim } from '../ports.ts';
import { COLLECTIONS, idOf, idsUnder, sequenceText } from './names.ts';

interface ClaimDocument {
  _id: string;
  sha256: string;
  bytes: number;
  /** Seal key of a personal input; absent for others, and for claims from before it was noted. */
  sealedBy?: string;
  /** Runs that use it. */
  runs: string[];
  at: number;
  /** Next look of the collector. */
  checkAt: number;
}
interface PartDocument {
  _id: string;
  data: Uint8Array;
}

const PART_BYTES_MAX = 8_000_000;
/** Hash of a claim that is being removed; no payload has it. */
const REMOVED = '';
/** Time to enqueue the job and to run it before anybody asks whether the claim is still needed. */
const FIRST_CHECK_MS = 60_000;
/** What says which key sealed a payload comes first in it. */
const HEAD_BYTES = 32;
/** A claim is read whole into memory. */
const CLAIM_BYTES_MAX = 256 * 1024 * 1024;

class MongoClaims implements Claims {
  readonly #claims: Collection<ClaimDocument>;
  readonly #parts: Collection<PartDocument>;
  readonly #clock: () => number;

  constructor(db: Db, clock: () => number) {
    this.#claims = db.collection<ClaimDocument>(COLLECTIONS.claims);
    this.#parts = db.collection<PartDocument>(COLLECTIONS.claimParts);
    this.#clock = clock;
  }

  async put(tenant: string, bytes: Uint8Array, runKey?: string): ReturnType<Claims['put']> {
    if (bytes.length > CLAIM_BYTES_MAX)
      throw new AppError('INPUT_INVALID', {
        message: `A payload claim holds at most ${CLAIM_BYTES_MAX} bytes.`,
        details: { issues: [{ field: 'bytes', reason: `${bytes.length} > ${CLAIM_BYTES_MAX}` }] },
      });
    const id = randomBytes(16).toString('hex');
    const sha256 = hash('sha256', bytes, 'hex');
    for (let offset = 0, part = 0; offset < bytes.length; offset += PART_BYTES_MAX, part++) {
      const data = bytes.subarray(offset, offset + PART_BYTES_MAX);
      await this.#parts.insertOne({ _id: idOf(tenant, id, sequenceText(part)), data });
    }
    // Last: a claim that can be found is whole.
    const at = this.#clock();
    const runs = runKey === undefined ? [] : [runKey];
    const sealedBy = sealKeyOf(Buffer.from(bytes.subarray(0, HEAD_BYTES)).toString('latin1'));
    const claim = { _id: idOf(tenant, id), sha256, bytes: bytes.length, runs, at, checkAt: at + FIRST_CHECK_MS };
    await this.#claims.insertOne({ ...claim, ...(sealedBy !== undefined && { sealedBy }) });
    return { id, sha256, bytes: bytes.length };
  }

  async get(tenant: string, id: string, sha256: string): Promise<Uint8Array> {
    const claim = await this.#claims.findOne({ _id: idOf(tenant, id) });
    if (claim === null || claim.sha256 !== sha256) throw new AppError('CLAIM_NOT_FOUND', { details: { id } });
    const bytes = new Uint8Array(claim.bytes);
    let offset = 0;
    for await (const { data } of this.#parts.find({ _id: idsUnder(idOf(tenant, id)) }).sort({ _id: 1 })) {
      if (offset + data.length > bytes.length) break;
      bytes.set(data, offset);
      offset += data.length;
    }
    if (hash('sha256', bytes, 'hex') !== sha256) throw new AppError('CLAIM_NOT_FOUND', { details: { id } });
    return bytes;
  }

  async bind(tenant: string, id: string, runKey: string): Promise<void> {
    const there = { _id: idOf(tenant, id), sha256: { $ne: REMOVED } };
    const bound = await this.#claims.updateOne(there, { $addToSet: { runs: runKey } });
    if (bound.matchedCount === 0) throw new AppError('CLAIM_NOT_FOUND', { details: { id } });
  }

  async due(nowMs: number, limit: number): Promise<StoredClaim[]> {
    const found = await this.#claims
      .find({ checkAt: { $lte: nowMs } })
      .sort({ checkAt: 1 })
      .limit(limit)
      .toArray();
    return found.map(({ _id, runs, at }) => {
      const dot = _id.indexOf('.');
      return { tenant: _id.slice(0, dot), id: _id.slice(dot + 1), runs, storedAt: at };
    });
  }

  async keep(tenant: string, id: string, untilMs: number): Promise<void> {
    await this.#claims.updateOne({ _id: idOf(tenant, id) }, { $set: { checkAt: untilMs } });
  }

  async remove({ tenant, id, runs }: StoredClaim): Promise<void> {
    const _id = idOf(tenant, id);
    // Unreadable first, gone last: who is killed in between leaves something that the next look finds.
    const closed = await this.#claims.updateOne({ _id, runs: [...runs] }, { $set: { sha256: REMOVED } });
    if (closed.matchedCount > 0) await this.#removeClosed(_id);
  }

  async shred(tenant: string, id: string): Promise<void> {
    const _id = idOf(tenant, id);
    await this.#claims.updateOne({ _id }, { $set: { sha256: REMOVED } });
    await this.#removeClosed(_id);
  }

  async #removeClosed(_id: string): Promise<void> {
    await this.#parts.deleteMany({ _id: idsUnder(_id) });
    await this.#claims.deleteOne({ _id });
  }
}

/** Indexes of claims; portable ones only. */
export async function createClaimIndexes(db: Db): Promise<void> {
  await db.collection(COLLECTIONS.claims).createIndexes([{ key: { checkAt: 1 }, name: 'due' }]);
}

export function mongoClaims(db: Db, clock: () => number): Claims {
  return new MongoClaims(db, clock);
}
