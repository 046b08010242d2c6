/**
 * Owns taking a person out of the inputs of jobs, whatever their state: each sealed input of a personal kind is opened, what is about the person is
 * blanked, and it is sealed again for the same run. Places in a batch stay as they were, since refusals name them; a blank record is refused as one
 * that is none. The input's hash stays that of what was handed over: it tells runs apart, and nobody can go back from it.
 */
import type { Job, JobType } from 'bullmq';
import type { Contract } from '../../shared/contract-kit/define-job.ts';
import { type Envelope, envelopeSchema } from '../../shared/contract-kit/envelope.ts';
import { seal, type SealRing } from '../../shared/contract-kit/seal.ts';
import { NOBODY_LEFT } from '../../jobs/governance/contract.ts';
import { mentions } from '../../shared/governance/mentions.ts';
import type { Claims } from '../../shared/store/ports.ts';
import { readInputText } from '../../jobs/client/make-job.ts';
import { jobIdOf } from '../../shared/contract-kit/names.ts';
import type { Enqueuer } from './enqueuer.ts';

const STATES: JobType[] = ['wait', 'delayed', 'prioritized', 'active', 'completed', 'failed'];
/** Jobs in memory at once, of at most 64 KB; of claims one. */
const PAGE_JOBS = 200;

export interface RewrittenPayloads {
  readonly checked: number;
  readonly rewritten: number;
  /** Could not be opened: of a key that is gone, or not an envelope. Nobody can read them. */
  readonly unreadable: number;
}

export interface Payloads {
  /** `own`: the run key of the job that asks, whose input names the person. */
  forget(tenant: string, user: string, own: string, signal: AbortSignal): Promise<RewrittenPayloads>;
  /** Takes the person out of the input of a governance run that has committed: it is never read again. Idempotent. */
  blank(kind: string, runKey: string): Promise<void>;
}

export class JobPayloads implements Payloads {
  readonly #enqueuer: Enqueuer;
  readonly #claims: Claims;
  readonly #ring: SealRing | undefined;

  constructor(enqueuer: Enqueuer, claims: Claims, ring: SealRing | undefined) {
    this.#enqueuer = enqueuer;
    this.#claims = claims;
    this.#ring = ring;
  }

  async forget(tenant: string, user: string, own: string, signal: AbortSignal): Promise<RewrittenPayloads> {
    const tally = { checked: 0, rewritten: 0, unreadable: 0 };
    for (const kind of this.#enqueuer.kinds) {
      const contract = this.#enqueuer.contract(kind);
      if (!contract.personal) continue;
      for await (const job of this.#jobsOf(kind)) {
        signal.throwIfAborted();
        const envelope = envelopeSchema.safeParse(job.data);
        if (!envelope.success || envelope.data.tenant !== tenant || envelope.data.runKey === own) continue;
        tally.checked += 1;
        const done = await this.#rewrite(job, envelope.data, contract, user);
        if (done !== 'kept') tally[done] += 1;
      }
    }
    return tally;
  }

  async blank(kind: string, runKey: string): Promise<void> {
    const job = await this.#enqueuer.queue(kind).getJob(jobIdOf(runKey));
    const envelope = envelopeSchema.safeParse(job?.data);
    if (job === undefined || !envelope.success || this.#ring === undefined) return;
    const input = await this.#read(envelope.data, this.#enqueuer.contract(kind));
    if (typeof input !== 'object' || input === null || !('user' in input)) return;
    const sealed = seal(this.#ring, JSON.stringify({ ...input, user: NOBODY_LEFT }), runKey);
    await job.updateData({ ...envelope.data, sealed });
  }

  /** Jobs change places meanwhile: who is met twice is looked at twice, and one that slips by is met by the next pass, or by the checks of its run. */
  async *#jobsOf(kind: string): AsyncGenerator<Job> {
    const queue = this.#enqueuer.queue(kind);
    for (const state of STATES)
      for (let from = 0; ; from += PAGE_JOBS) {
        const jobs = await queue.getJobs([state], from, from + PAGE_JOBS - 1);
        // One that was removed since its id was read is undefined.
        for (const job of jobs) if (job !== undefined) yield job;
        if (jobs.length < PAGE_JOBS) break;
      }
  }

  async #rewrite(
    job: Job,
    envelope: Envelope,
    contract: Contract,
    user: string,
  ): Promise<'kept' | 'rewritten' | 'unreadable'> {
    const read = await this.#read(envelope, contract);
    if (read === undefined || this.#ring === undefined) return 'unreadable';
    const left = isActOf(read, user) ? blanked(read, await job.getState()) : withoutPerson(read, user);
    if (left === read) return 'kept';
    const sealed = seal(this.#ring, JSON.stringify(left), envelope.runKey);
    const { claim, ...rest } = envelope;
    if (claim === undefined) await job.updateData({ ...rest, sealed });
    else {
      const put = await this.#claims.put(envelope.tenant, Buffer.from(JSON.stringify(sealed)), envelope.runKey);
      await job.updateData({ ...rest, claim: put });
      await this.#claims.shred(envelope.tenant, claim.id);
    }
    return 'rewritten';
  }

  async #read(envelope: Envelope, contract: Contract): Promise<unknown> {
    try {
      const { claim, tenant } = envelope;
      const body = claim && Buffer.from(await this.#claims.get(tenant, claim.id, claim.sha256)).toString();
      return JSON.parse(readInputText(contract, envelope, this.#ring, body));
    } catch {
      return undefined;
    }
  }
}

/** The input with everything about the person blanked; the same object where there is nothing. */
export function withoutPerson(input: unknown, user: string): unknown {
  if (typeof input !== 'object' || input === null) return input;
  let changed = false;
  const left: Record<string, unknown> = {};
  for (const [field, value] of Object.entries(input)) {
    // Items are not people, whatever their ids.
    const records = Array.isArray(value) && field !== 'items' ? value : undefined;
    const kept = records?.map((record) => (isAbout(record, user) ? null : record));
    if (records !== undefined && kept?.some((record, at) => record !== records[at])) changed = true;
    left[field] = kept ?? value;
  }
  return changed ? left : input;
}

/** What a person asks of their own data. */
type ActInput = Readonly<Record<'act' | 'user', unknown>>;

const isActOf = (input: unknown, user: string): input is ActInput =>
  typeof input === 'object' && input !== null && 'act' in input && 'user' in input && input.user === user;

/** An act of somebody who leaves is about nothing any more; but who has asked to come back, and waits, is heard. */
function blanked(input: ActInput, state: string): ActInput {
  const isOver = state === 'completed' || state === 'failed';
  return isOver || input.act !== 'readmit' ? { ...input, user: NOBODY_LEFT } : input;
}

/** Fields in which no person is named; of canonical records alone, since what others call their fields is theirs. */
const NOT_PEOPLE: ReadonlySet<string> = new Set(['item', 'type', 'source']);

/** A record that is not canonical may name the person anywhere. */
function isAbout(record: unknown, user: string): boolean {
  if (typeof record !== 'object' || record === null || !('user' in record || 'type' in record))
    return mentions(record, user);
  return Object.entries(record).some(([field, value]) => !NOT_PEOPLE.has(field) && value === user);
}
