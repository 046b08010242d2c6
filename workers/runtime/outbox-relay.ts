/**
 * Owns the relay of outbox entries: what callers wrote into their own documents is enqueued, and is taken out again once the ledger
 * knows how its runs ended. Until then it is enqueued again and again, which changes nothing while the jobs are there and heals what
 * an emptied Redis forgot.
 */
import { jobOfEnvelope } from '../../jobs/client/make-job.ts';
import { type OutboxEntry, type OutboxJob, outboxEntrySchema } from '../../shared/contract-kit/outbox.ts';
import { AppError } from '../../shared/errors.ts';
import type { Outbox, OutboxFound } from '../../shared/store/ports.ts';
import type { Enqueuer } from './enqueuer.ts';
import { codedFailure } from './failure.ts';
import type { Ports } from './processor.ts';

const INTERVAL_MS = 1_000;
/** Entries of one pass; more are taken in the next, which follows at once. */
const ENTRIES_MAX = 100;
/** An entry whose runs go on is looked at again after this long, and the older it is the later. */
const AGAIN_MS_MIN = 2_000;
const AGAIN_MS_MAX = 30_000;
/** Entries at work at once. */
const ENTRIES_AT_ONCE = 10;

export interface OutboxRelayOptions {
  readonly outbox: Outbox;
  readonly ports: Pick<Ports, 'store' | 'clock' | 'log'>;
  readonly enqueuer: Enqueuer;
}

/** How the runs of an entry stand. */
type Standing = 'ended' | 'going on' | AppError;

export class OutboxRelay implements AsyncDisposable {
  readonly #options: OutboxRelayOptions;
  #timer: NodeJS.Timeout | undefined;
  #passing: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: OutboxRelayOptions) {
    this.#options = options;
    this.#next(0);
  }

  #next(delayMs: number): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#passing = this.#guarded();
    }, delayMs).unref();
  }

  async #guarded(): Promise<void> {
    let full = false;
    try {
      full = (await this.pass()) === ENTRIES_MAX;
    } catch (thrown) {
      this.#warn('outboxes could not be read; the next pass goes on', {}, thrown);
    }
    this.#next(full ? 0 : INTERVAL_MS);
  }

  /** Looks at entries whose time has come; returns how many there were. */
  async pass(): Promise<number> {
    const { outbox, ports } = this.#options;
    const found = await outbox.due(ports.clock.now(), ENTRIES_MAX);
    for (let from = 0; from < found.length; from += ENTRIES_AT_ONCE)
      await Promise.all(found.slice(from, from + ENTRIES_AT_ONCE).map((one) => this.#relay(one)));
    return found.length;
  }

  /** One that cannot be helped must not keep the others from it. */
  async #relay(found: OutboxFound): Promise<void> {
    const { collection, id } = found;
    try {
      const parsed = outboxEntrySchema.safeParse(found.entry);
      if (parsed.success) await this.#relayEntry(found, parsed.data);
      else await this.#park(found, new AppError('INPUT_INVALID', { message: 'This is no outbox entry.' }));
    } catch (thrown) {
      this.#warn('an outbox entry could not be relayed yet', { collection, entry: id }, thrown);
    }
  }

  async #relayEntry(found: OutboxFound, entry: OutboxEntry): Promise<void> {
    const { outbox, ports } = this.#options;
    const now = ports.clock.now();
    // Put off first: other relays leave it alone meanwhile, and whoever dies at it leaves it to them.
    const again = Math.min(AGAIN_MS_MAX, Math.max(AGAIN_MS_MIN, (now - entry.at) / 2));
    if (!(await outbox.postpone(found, now + again))) return;
    const standings = await Promise.all(entry.jobs.map((job) => this.#relayJob(job)));
    const refused = standings.find((standing) => standing instanceof AppError);
    if (refused === undefined) {
      if (standings.every((standing) => standing === 'ended')) await outbox.clear(found);
      return;
    }
    const { retryAfterMs } = refused.details;
    if (typeof retryAfterMs === 'number') await outbox.postpone(found, now + retryAfterMs);
    else await this.#park(found, refused);
  }

  /** Enqueues a job whose run has not ended. An error that trying again may mend is thrown, any other is returned. */
  async #relayJob(job: OutboxJob): Promise<Standing> {
    const { enqueuer, ports } = this.#options;
    const { envelope, body, priority, notBefore = 0, source } = job;
    try {
      const run = await ports.store.ledger.read(envelope.runKey);
      if (run !== undefined && run.inputHash !== envelope.inputHash) return new AppError('KEY_REUSED');
      if (run !== undefined && run.state !== 'running') return 'ended';
      const contract = enqueuer.contract(envelope.kind);
      if (contract.effect === 'none')
        return new AppError('INPUT_INVALID', { message: `Runs of ${contract.kind} leave no trace to wait for.` });
      const delayMs = notBefore - ports.clock.now();
      const made = jobOfEnvelope(contract, envelope, { priority, delayMs, source });
      await (body === undefined ? enqueuer.add(made) : enqueuer.addWithPayload(made, body));
      return 'going on';
    } catch (thrown) {
      const error = codedFailure(thrown, { personal: true });
      if (error.code === 'LIMIT_QUEUE_FULL' || error.code === 'LIMIT_RATE' || error.code === 'KEY_REUSED') return error;
      throw thrown;
    }
  }

  async #park(found: OutboxFound, error: AppError): Promise<void> {
    const { collection, id } = found;
    this.#warn(
      'an outbox entry was parked: it stays in its document with the reason',
      { collection, entry: id },
      error,
    );
    await this.#options.outbox.park(found, { code: error.code, message: error.message });
  }

  #warn(problem: string, fields: object, thrown: unknown): void {
    const error = codedFailure(thrown, { personal: true }).toJSON();
    this.#options.ports.log.warn({ ...fields, error }, problem);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#passing;
  }
}
