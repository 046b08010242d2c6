/**
 * Owns reconciliation: what a killed process left half-done is found and finished here, by whichever process sweeps first.
 * Everything it does is idempotent, so several sweepers only waste a little work.
 */
import { AppError, toAppError } from '../../shared/errors.ts';
import { jobIdOf } from '../../shared/contract-kit/names.ts';
import type { RunDocument } from '../../shared/store/ports.ts';
import type { Enqueuer } from './enqueuer.ts';
import { follow, type Relay } from './follow.ts';
import type { Orchestrator } from './orchestrator.ts';
import type { AnyProcessor, Ports } from './processor.ts';

const INTERVAL_MS = 5_000;
/** Ended runs are left to their own process for this long. */
const FOLLOW_GRACE_MS = 5_000;
/** Claimed runs are compared with BullMQ after this long. */
const CLAIM_GRACE_MS = 30_000;
const BATCH_MAX = 100;

export interface SweeperOptions {
  readonly ports: Ports;
  readonly enqueuer: Enqueuer;
  readonly orchestrator: Orchestrator;
  readonly relay: Relay;
  readonly processorOf: (kind: string) => AnyProcessor | undefined;
}

export class Sweeper implements AsyncDisposable {
  readonly #options: SweeperOptions;
  readonly #timer: NodeJS.Timeout;
  #sweeping: Promise<void> | undefined;

  constructor(options: SweeperOptions) {
    this.#options = options;
    this.#timer = setInterval(() => {
      this.#sweeping ??= this.#guarded().finally(() => {
        this.#sweeping = undefined;
      });
    }, INTERVAL_MS);
    this.#timer.unref();
  }

  async #guarded(): Promise<void> {
    try {
      await this.sweep();
    } catch (thrown) {
      this.#options.ports.log.warn(
        { error: toAppError(thrown).toJSON() },
        'a sweep did not finish; the next one goes on',
      );
    }
  }

  /** One whole sweep. */
  async sweep(): Promise<void> {
    const { ports, orchestrator } = this.#options;
    for (const run of await ports.store.ledger.unfollowed(FOLLOW_GRACE_MS, BATCH_MAX)) await this.#follow(run);
    for (const run of await ports.store.ledger.running(ports.clock.now() - CLAIM_GRACE_MS, BATCH_MAX))
      await this.#reconcile(run);
    for (const run of await ports.store.pipelineRuns.running(BATCH_MAX)) await orchestrator.repair(run);
  }

  async #follow(run: RunDocument): Promise<void> {
    const { ports, relay, processorOf } = this.#options;
    const processor = processorOf(run.kind);
    if (processor === undefined && run.state === 'committed') return; // a process that knows the kind will
    try {
      await follow(run, processor, ports, relay);
    } catch (thrown) {
      ports.log.warn(
        { runKey: run.runKey, error: toAppError(thrown).toJSON() },
        'an ended run could not be followed yet',
      );
    }
  }

  /** A run that BullMQ has given up (or forgotten) while the ledger still waits for it ends here. */
  async #reconcile(run: RunDocument): Promise<void> {
    const { enqueuer, ports } = this.#options;
    const job = await enqueuer.queue(run.kind).getJob(jobIdOf(run.runKey));
    const state = job === undefined ? 'unknown' : await job.getState();
    if (state !== 'failed' && state !== 'unknown') return;
    const error =
      run.error ??
      new AppError('INTERNAL', { message: 'The job ended in the queue without telling the ledger.' }).toJSON();
    if (await ports.store.ledger.end(run.runKey, run.fence, 'dead-lettered', error))
      ports.log.warn({ runKey: run.runKey, queueState: state }, 'a run that the queue gave up was dead-lettered');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#sweeping;
  }
}
