/**
 * Owns dead letters for whoever has store and queues (gateway, command, dashboard): what they are, and redriving one. The order of a redrive: check
 * that it may be, and its input against today's contract; then the ledger, by one guarded update, so that of many who ask one succeeds; then the
 * queue. Should a crash lie between the two, the sweeper finishes it.
 */
import type { Job, Queue } from 'bullmq';
import { type Contract, REDRIVE_WINDOW_MS } from '../../shared/contract-kit/define-job.ts';
import { type Envelope, envelopeSchema } from '../../shared/contract-kit/envelope.ts';
import { jobIdOf } from '../../shared/contract-kit/names.ts';
import type { SealRing } from '../../shared/contract-kit/seal.ts';
import { AppError, toAppError } from '../../shared/errors.ts';
import type { RunDocument, Store } from '../../shared/store/ports.ts';
import {
  DEAD_LETTERS_MAX,
  type DeadLetter,
  type DeadLetterAsk,
  type DeadLetterDesk,
  type DeadLetterPage,
  type RedriveResult,
} from '../client/dead-letters.ts';
import { errorOfReason } from '../client/failure.ts';
import { openInput } from '../client/open-input.ts';
import { retryFailed } from '../client/retry-failed.ts';
import { CONTRACTS } from '../registry.ts';

/** Failed jobs of a kind without a ledger that are looked through for one list. */
const FAILED_READ_MAX = 1_000;
/** Redrives of a batch that are under way at once. */
const AT_ONCE = 10;

export interface DeskOptions {
  readonly store: Pick<Store, 'ledger' | 'deadLetters' | 'pipelineRuns' | 'claims'>;
  readonly queueOf: (kind: string) => Promise<Queue>;
  readonly ring: SealRing | undefined;
  readonly tenant: string;
  readonly now: () => number;
  readonly contracts?: Readonly<Record<string, Contract>>;
}

export class StoreDesk implements DeadLetterDesk {
  readonly #options: DeskOptions;
  readonly #contracts: Readonly<Record<string, Contract>>;

  constructor(options: DeskOptions) {
    this.#options = options;
    this.#contracts = options.contracts ?? CONTRACTS;
  }

  async page(ask: DeadLetterAsk): Promise<DeadLetterPage> {
    const { store, tenant } = this.#options;
    const { kind, code, since, after } = ask;
    const limit = Math.min(ask.limit ?? DEAD_LETTERS_MAX, DEAD_LETTERS_MAX);
    if (kind !== undefined && this.#contract(kind).effect === 'none') return this.#ofQueue(kind, ask, limit);
    const query = {
      ...(kind === undefined ? {} : { kind }),
      ...(code === undefined ? {} : { code }),
      ...(since === undefined ? {} : { sinceMs: Number(since) }),
      ...(after === undefined ? {} : { after: placeOf(after) }),
    };
    const runs = await store.deadLetters.list(tenant, query, limit);
    const deadLetters = await Promise.all(runs.map((run) => this.#letter(run)));
    const last = deadLetters.at(-1);
    return {
      deadLetters,
      ...(last === undefined || runs.length < limit ? {} : { next: `${last.endedAt}:${last.runKey}` }),
    };
  }

  async show(runKey: string): Promise<DeadLetter> {
    const contract = this.#contractOf(runKey);
    if (contract.effect === 'none') {
      const job = await this.#job(contract.kind, jobIdOf(runKey));
      const letter = job === undefined ? undefined : this.#letterOfJob(contract.kind, job);
      if (letter === undefined) throw notDead(runKey);
      return letter;
    }
    const run = await this.#options.store.ledger.read(runKey);
    if (run === undefined || !isDead(run)) throw notDead(runKey);
    return this.#letter(run);
  }

  async redrive(runKeys: readonly string[]): Promise<RedriveResult[]> {
    const results: RedriveResult[] = [];
    const wanted = [...new Set(runKeys.slice(0, DEAD_LETTERS_MAX))];
    for (let from = 0; from < wanted.length; from += AT_ONCE)
      results.push(...(await Promise.all(wanted.slice(from, from + AT_ONCE).map((runKey) => this.#redrive(runKey)))));
    return results;
  }

  /** What the store or Redis cannot do now is thrown; what stands against this run is its result. */
  async #redrive(runKey: string): Promise<RedriveResult> {
    try {
      const contract = this.#contractOf(runKey);
      const isDone =
        contract.effect === 'none' ? await this.#retry(contract, runKey) : await this.#giveBack(contract, runKey);
      return { runKey, outcome: isDone ? 'redriven' : 'running' };
    } catch (thrown) {
      const error = toAppError(thrown);
      if (error.code === 'SERVICE_UNAVAILABLE' || error.code === 'INTERNAL') throw error;
      return { runKey, outcome: 'refused', error: error.toJSON() };
    }
  }

  /** False: it runs already. */
  async #giveBack(contract: Contract, runKey: string): Promise<boolean> {
    const { store, now } = this.#options;
    const run = await store.ledger.read(runKey);
    if (run === undefined) throw notDead(runKey);
    if (run.state === 'running') return false;
    if (!isDead(run)) throw refused(runKey, `It ended as ${run.state}, which stays`);
    if ((run.endedAt ?? 0) + REDRIVE_WINDOW_MS <= now())
      throw refused(runKey, `It ended more than ${REDRIVE_WINDOW_MS / 86_400_000} days ago: what it needs may be gone`);
    await this.#refuseStep(run);
    const job = await this.#job(run.kind, run.jobId ?? jobIdOf(runKey));
    if (job === undefined) throw refused(runKey, 'Its job, and so its input, is gone from the queue');
    await this.#check(contract, job, run.inputHash);
    const running = await store.deadLetters.redrive(run, now());
    if (running === undefined) {
      const current = await store.ledger.read(runKey);
      if (current?.state === 'running' || current?.state === 'committed') return false;
      throw refused(runKey, 'It has just ended again');
    }
    if (await this.#toQueue(run.kind, job)) return true;
    // Not failed any more: at work again, or gone in this moment.
    if ((await this.#job(run.kind, job.id as string)) !== undefined) return true;
    await store.ledger.end(runKey, running.fence, 'dead-lettered', {
      ...new AppError('INTERNAL').toJSON(),
      ...run.error,
    });
    throw refused(runKey, 'Its job, and so its input, is gone from the queue');
  }

  /** Of a kind without a ledger: its failed job is the dead letter. */
  async #retry(contract: Contract, runKey: string): Promise<boolean> {
    const job = await this.#job(contract.kind, jobIdOf(runKey));
    if (job === undefined) throw notDead(runKey);
    if (job.finishedOn === undefined) return false;
    if (job.failedReason === undefined) throw refused(runKey, 'It has completed, which stays');
    await this.#check(contract, job);
    return this.#toQueue(contract.kind, job);
  }

  async #toQueue(kind: string, job: Job): Promise<boolean> {
    return retryFailed(await this.#options.queueOf(kind), job);
  }

  /** A step that failed is its pipeline's to run again, unless the pipeline still waits for it. */
  async #refuseStep({ runKey, step }: RunDocument): Promise<void> {
    if (step === undefined) return;
    const pipeline = await this.#options.store.pipelineRuns.read(step.run);
    if (pipeline?.state === 'running' && pipeline.steps[step.step]?.state === 'enqueued') return;
    throw refused(
      runKey,
      `It is the step "${step.step}" of the pipeline run ${step.run}, which does not wait for it any more: run the pipeline again from that step`,
    );
  }

  /** Whether a worker of today would take the input. Throws as `openInput`. */
  async #check(contract: Contract, job: Job, inputHash?: string): Promise<void> {
    const parsed = envelopeSchema.safeParse(job.data);
    if (!parsed.success)
      throw new AppError('INPUT_INVALID', {
        message: 'The data of the job is not an envelope.',
        details: { jobId: job.id },
      });
    const envelope = parsed.data;
    if (inputHash !== undefined && envelope.inputHash !== inputHash)
      throw new AppError('KEY_REUSED', { details: { runKey: envelope.runKey } });
    const { store, ring } = this.#options;
    await openInput(envelope, contract, ring, ({ id, sha256 }) => store.claims.get(envelope.tenant, id, sha256));
  }

  async #letter(run: RunDocument): Promise<DeadLetter> {
    const job = await this.#job(run.kind, run.jobId ?? jobIdOf(run.runKey));
    const { runKey, kind, state, error, endedAt = 0, createdAt, contractVersion, fence, earlierEnds = [], step } = run;
    return {
      runKey,
      kind,
      state: state === 'expired' ? state : 'dead-lettered',
      code: error?.code ?? 'INTERNAL',
      message: error?.message ?? `It ended as ${state}.`,
      endedAt,
      createdAt,
      contractVersion,
      input: inputOf(job?.data, run.inputHash),
      ...(job === undefined ? {} : { attempts: job.attemptsMade, attemptsMax: job.opts.attempts ?? 1 }),
      claims: fence,
      earlierEnds: earlierEnds.map((end) => ({ state: end.state, code: end.code, endedAt: end.endedAt })),
      redrivableUntil: endedAt + REDRIVE_WINDOW_MS,
      ...(step === undefined ? {} : { step }),
    };
  }

  async #ofQueue(kind: string, { code, since }: DeadLetterAsk, limit: number): Promise<DeadLetterPage> {
    const queue = await this.#options.queueOf(kind);
    const jobs = (await queue.getFailed(0, FAILED_READ_MAX - 1)) as (Job | undefined)[];
    const letters = jobs.flatMap((job) => (job === undefined ? [] : (this.#letterOfJob(kind, job) ?? [])));
    const wanted = letters.filter(
      (letter) =>
        (code === undefined || letter.code === code) && (since === undefined || letter.endedAt >= Number(since)),
    );
    return { deadLetters: wanted.slice(0, limit) };
  }

  /** Undefined: it has not failed, or it is another tenant's. */
  #letterOfJob(kind: string, job: Job): DeadLetter | undefined {
    const { tenant, runKey, inputHash, version } = job.data as Envelope;
    if (tenant !== this.#options.tenant || job.failedReason === undefined || job.finishedOn === undefined)
      return undefined;
    const { code, message } = errorOfReason(job.failedReason);
    return {
      runKey,
      kind,
      state: 'failed',
      code,
      message,
      endedAt: job.finishedOn,
      createdAt: job.timestamp,
      contractVersion: version,
      input: inputOf(job.data, inputHash),
      attempts: job.attemptsMade,
      attemptsMax: job.opts.attempts ?? 1,
      claims: job.attemptsStarted,
      earlierEnds: [],
      redrivableUntil: job.finishedOn + REDRIVE_WINDOW_MS,
    };
  }

  async #job(kind: string, id: string): Promise<Job | undefined> {
    if (this.#contracts[kind] === undefined) return undefined;
    return (await (await this.#options.queueOf(kind)).getJob(id)) as Job | undefined;
  }

  #contract(kind: string): Contract {
    const found = this.#contracts[kind];
    if (found !== undefined) return found;
    throw new AppError('KIND_UNKNOWN', { details: { kind, known: Object.keys(this.#contracts) } });
  }

  /** Throws NOT_FOUND for run keys of other tenants too. */
  #contractOf(runKey: string): Contract {
    const [tenant, kind = ''] = runKey.split('.');
    if (tenant !== this.#options.tenant) throw notDead(runKey);
    return this.#contract(kind);
  }
}

const isDead = ({ state }: RunDocument): boolean => state === 'dead-lettered' || state === 'expired';

const notDead = (runKey: string): AppError =>
  new AppError('NOT_FOUND', { message: `There is no dead letter ${runKey}.`, details: { runKey } });

const refused = (runKey: string, why: string): AppError =>
  new AppError('REDRIVE_REFUSED', { message: `${why}.`, details: { runKey } });

function inputOf(data: unknown, hash: string): DeadLetter['input'] {
  const { input, sealed, claim } = (data ?? {}) as Partial<Envelope>;
  if (claim !== undefined) return { in: 'claim', hash, claim: claim.id, bytes: claim.bytes };
  if (sealed !== undefined) return { in: 'sealed', hash, bytes: sealed.box.length };
  return { in: input === undefined ? 'gone' : 'job', hash };
}

function placeOf(after: string): { endedAt: number; runKey: string } {
  const [, endedAt = '', runKey = ''] = /^(\d+):(.+)$/.exec(after) ?? [];
  if (runKey === '') throw new AppError('INPUT_INVALID', { message: 'That is no `next` of a page before.' });
  return { endedAt: Number(endedAt), runKey };
}
