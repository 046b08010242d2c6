/**
 * Owns what the stream hears of one delivery of a job, and the span it is in: the messaging conventions of OpenTelemetry beside the names of
 * BullMQ's own. Nothing is put together while nobody listens.
 */
import type { Job } from 'bullmq';
import type { OnProgress } from '../../shared/compute/task.ts';
import type { Contract } from '../../shared/contract-kit/define-job.ts';
import type { Envelope } from '../../shared/contract-kit/envelope.ts';
import type { AppError } from '../../shared/errors.ts';
import { framesOf } from '../../shared/telemetry/fatal.ts';
import type { Span, Telemetry } from '../../shared/telemetry/stream.ts';

/** Names of the stream for deliveries that ended without a result. */
type Ending =
  | 'job.retried'
  | 'job.lost'
  | 'job.unfollowed'
  | 'job.failed'
  | 'job.cancelled'
  | 'job.expired'
  | 'job.dead-lettered';

export class JobEvents {
  readonly #telemetry: Telemetry;
  readonly #contract: Contract;
  readonly #job: Job;
  readonly #startedAt = performance.now();
  #runKey: string | undefined;

  constructor(telemetry: Telemetry, contract: Contract, job: Job) {
    this.#telemetry = telemetry;
    this.#contract = contract;
    this.#job = job;
  }

  started({ runKey }: Envelope): void {
    this.#runKey = runKey;
    if (!this.#telemetry.heard) return;
    const { timestamp, delay, attemptsStarted } = this.#job;
    // A later attempt waited for other reasons.
    const waitSeconds = attemptsStarted > 1 ? undefined : Math.max(0, Date.now() - timestamp - (delay ?? 0)) / 1000;
    this.#telemetry.emit('job.started', { ...this.#names(), attempt: this.#attempt(), waitSeconds });
  }

  claimed(run: { readonly fence: number; readonly unsettled: number }): void {
    if (!this.#telemetry.heard) return;
    this.#telemetry.emit('job.claimed', { ...this.#names(), fence: run.fence, unsettled: run.unsettled });
  }

  progressed({ done, total, label }: Parameters<OnProgress>[0]): void {
    if (this.#telemetry.heard) this.#telemetry.emit('job.progress', { ...this.#names(), done, total, label });
  }

  committed(computeSeconds: number): void {
    if (!this.#telemetry.heard) return;
    this.#telemetry.emit('job.committed', { ...this.#names(), effect: this.#contract.effect, computeSeconds });
  }

  completed(): void {
    if (this.#telemetry.heard) this.#telemetry.emit('job.completed', this.#ended());
  }

  /** An earlier end, told again. */
  repeated(): void {
    if (this.#telemetry.heard) this.#telemetry.emit('job.repeated', this.#ended());
  }

  failed(name: Ending, failure: AppError): void {
    if (this.#telemetry.heard) this.#telemetry.emit(name, this.#failure(failure));
  }

  deferred(failure: AppError, delayMs: number): void {
    if (this.#telemetry.heard)
      this.#telemetry.emit('job.deferred', { ...this.#failure(failure), delaySeconds: delayMs / 1000 });
  }

  #names() {
    return { kind: this.#contract.kind, jobId: this.#job.id, runKey: this.#runKey };
  }

  #attempt(): number {
    return this.#job.attemptsMade + 1;
  }

  #ended() {
    const seconds = (performance.now() - this.#startedAt) / 1000;
    return { ...this.#names(), effect: this.#contract.effect, attempt: this.#attempt(), seconds };
  }

  /** Where it came from: the frames of its cause, never its words. */
  #failure(failure: AppError) {
    return { ...this.#ended(), code: failure.code, error: failure.toJSON(), cause: framesOf(failure.cause) };
  }
}

/** The span of a delivery: caused by whoever enqueued the job, if they said so. */
export function spanOf({ kind }: Contract, job: Job, envelope: Envelope): Span {
  return {
    name: `process ${kind}`,
    kind: 'consumer',
    parent: envelope.trace,
    attributes: {
      'messaging.system': 'bullmq',
      'messaging.destination.name': kind,
      'messaging.operation.name': 'process',
      'messaging.operation.type': 'process',
      'messaging.message.id': job.id ?? '',
      'bullmq.queue.name': kind,
      'bullmq.job.name': job.name,
      'bullmq.job.id': job.id ?? '',
      'bullmq.job.attempts.made': job.attemptsMade,
      'millrace.run.key': envelope.runKey,
    },
  };
}
