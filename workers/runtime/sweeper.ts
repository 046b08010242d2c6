/**
 * Owns reconciliation: what a killed process left half-done is found and finished here, by whichever process sweeps first.
 * Everything it does is idempotent, so several sweepers only waste a little work.
 */
import type { Job } from 'bullmq';
import { retryFailed } from '../../jobs/client/retry-failed.ts';
import { jobIdOf } from '../../shared/contract-kit/names.ts';
import type { PipelineRunDocument, RunDocument } from '../../shared/store/ports.ts';
import { ClaimCollector } from './claim-collector.ts';
import type { Enqueuer } from './enqueuer.ts';
import { codedFailure } from './failure.ts';
import { errorOfJob, FailedSet } from './failed-set.ts';
import { follow, type Relay } from './follow.ts';
import type { Orchestrator } from './orchestrator.ts';
import type { AnyProcessor, Ports } from './processor.ts';

const INTERVAL_MS = 5_000;
/** Ended runs are left to their own process for this long. */
const FOLLOW_GRACE_MS = 5_000;
/** Claimed runs are compared with BullMQ after this long. */
const CLAIM_GRACE_MS = 30_000;
/** A run that is at work for so long is told of before it ends. */
const START_GRACE_MS = 5_000;
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
  readonly #failed: FailedSet;
  readonly #claims: ClaimCollector;
  /** The last pipeline run that was looked at: more than one batch of them are swept in turns. */
  #swept = '';
  #sweeping: Promise<void> | undefined;

  constructor(options: SweeperOptions) {
    this.#options = options;
    this.#failed = new FailedSet(options.enqueuer, options.ports);
    this.#claims = new ClaimCollector(options.enqueuer, options.ports);
    this.#timer = setInterval(() => {
      this.#sweeping ??= this.#guarded().finally(() => {
        this.#sweeping = undefined;
      });
    }, INTERVAL_MS);
    this.#timer.unref();
  }

  async #guarded(): Promise<void> {
    const startedAt = performance.now();
    let ok = true;
    try {
      await this.sweep();
    } catch (thrown) {
      ok = false;
      this.#options.ports.log.warn(
        { error: codedFailure(thrown, { personal: true }).toJSON() },
        'a sweep did not finish; the next one goes on',
      );
    }
    this.#options.ports.telemetry.emit('sweep.ended', { seconds: (performance.now() - startedAt) / 1000, ok });
  }

  /** One whole sweep. */
  async sweep(): Promise<void> {
    const { ports, orchestrator, enqueuer } = this.#options;
    const { ledger, pipelineRuns } = ports.store;
    for (const run of await ledger.unfollowed(FOLLOW_GRACE_MS, BATCH_MAX))
      await this.#each('an ended run could not be followed yet', run.runKey, () => this.#follow(run));
    for (const run of await ledger.running(ports.clock.now() - CLAIM_GRACE_MS, BATCH_MAX))
      await this.#each('a run could not be compared with its job', run.runKey, () => this.#reconcile(run));
    await this.#each('starts of runs could not be told', 'lineage', () => this.#tellStarts());
    for (const run of await this.#failed.sweep())
      await this.#each('an ended run could not be followed yet', run.runKey, () => this.#follow(run));
    await this.#each('checkpoints could not be collected', 'checkpoints', () => this.#collectCheckpoints());
    await this.#each('payload claims could not be collected', 'claims', () => this.#claims.sweep());
    for (const kind of enqueuer.kinds)
      await this.#each('the unfinished jobs of a kind could not be counted', kind, () => enqueuer.recount(kind));
    const running = await pipelineRuns.running(BATCH_MAX, this.#swept);
    this.#swept = running.length < BATCH_MAX ? '' : (running.at(-1)?.id ?? '');
    for (const run of running)
      await this.#each('a pipeline run could not be repaired', run.id, () => orchestrator.repair(run));
    await this.#each('pipeline runs could not be told of', 'lineage', () => this.#tellPipelines(running));
  }

  /** One that cannot be helped must not keep the others from it. */
  async #each(problem: string, run: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (thrown) {
      this.#options.ports.log.warn({ run, error: codedFailure(thrown, { personal: true }).toJSON() }, problem);
    }
  }

  async #follow(run: RunDocument): Promise<void> {
    const { ports, relay, processorOf } = this.#options;
    const processor = processorOf(run.kind);
    if (processor === undefined && run.state === 'committed') return; // a process that knows the kind will
    await follow(run, processor, ports, relay);
  }

  /** What an ended run could have gone on from goes. A run that the ledger does not know is as good as ended. */
  async #collectCheckpoints(): Promise<void> {
    const { checkpoints, ledger } = this.#options.ports.store;
    for (const { tenant, runKey } of await checkpoints.runs(BATCH_MAX))
      if ((await ledger.read(runKey))?.state !== 'running') await checkpoints.remove(tenant, runKey);
  }

  async #tellStarts(): Promise<void> {
    const { clock, lineage, store } = this.#options.ports;
    if (lineage === undefined) return;
    for (const run of await store.ledger.running(clock.now() - START_GRACE_MS, BATCH_MAX)) await lineage.started(run);
  }

  /** Ended ones before those at work: their starts go with their ends. */
  async #tellPipelines(running: readonly PipelineRunDocument[]): Promise<void> {
    const { lineage, store } = this.#options.ports;
    if (lineage === undefined) return;
    for (const run of await store.pipelineRuns.untold(BATCH_MAX)) await lineage.endedPipeline(run);
    for (const run of running) await lineage.startedPipeline(run);
  }

  /** A run that BullMQ has given up (or forgotten) while the ledger still waits for it ends here. */
  async #reconcile(run: RunDocument): Promise<void> {
    const { enqueuer, ports } = this.#options;
    const job = (await enqueuer.queue(run.kind).getJob(run.jobId ?? jobIdOf(run.runKey))) as Job | undefined;
    const state = job === undefined ? 'unknown' : await job.getState();
    if (state !== 'failed' && state !== 'unknown') return;
    // Given back to work by somebody who could not tell the queue: that is done now.
    if (job !== undefined && (run.redrivenAt ?? 0) > (job.finishedOn ?? 0)) {
      await retryFailed(enqueuer.queue(run.kind), job);
      return;
    }
    if (state === 'unknown' && (await this.#isRepaired(run))) return;
    const error = job === undefined ? (run.error ?? errorOfJob(undefined)) : errorOfJob(job);
    if (await ports.store.ledger.end(run.runKey, run.fence, 'dead-lettered', error))
      ports.log.warn({ runKey: run.runKey, queueState: state }, 'a run that the queue gave up was dead-lettered');
  }

  /** A step whose job is gone from Redis is enqueued again as long as its pipeline runs. */
  async #isRepaired({ step }: RunDocument): Promise<boolean> {
    if (step === undefined) return false;
    return (await this.#options.ports.store.pipelineRuns.read(step.run))?.state === 'running';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#sweeping;
  }
}
