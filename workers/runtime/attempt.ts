/** Owns what an executor is made of, and what one attempt at a run carries from verb to verb. */
import type { Job } from 'bullmq';
import type { OnProgress } from '../../shared/compute/task.ts';
import type { Contract } from '../../shared/contract-kit/define-job.ts';
import type { Envelope } from '../../shared/contract-kit/envelope.ts';
import type { SealRing } from '../../shared/contract-kit/seal.ts';
import type { CancelWatch } from './cancellation.ts';
import type { Deadlines } from './deadlines.ts';
import type { Relay } from './follow.ts';
import type { Isolation, Turn } from './isolation.ts';
import type { JobEvents } from './job-events.ts';
import type { AnyProcessor, Ports } from './processor.ts';

export interface ExecutorOptions {
  readonly contract: Contract;
  readonly processor: AnyProcessor;
  readonly ports: Ports;
  readonly ring: SealRing | undefined;
  readonly cancels: CancelWatch;
  /** Who runs beside whom in this process. */
  readonly isolation: Isolation;
  readonly relay: Relay;
  /** Turns the data of jobs that schedulers made into an envelope. */
  readonly adapt?: (job: Job) => unknown;
  /** Told of the progress of steps, for the pipeline's mirror. */
  readonly onStepProgress?: (envelope: Envelope, progress: Parameters<OnProgress>[0]) => void;
}

/** One attempt at one run; `abort` reaches it through its controller. */
export interface Attempt {
  readonly job: Job;
  readonly envelope: Envelope;
  readonly controller: AbortController;
  readonly events: JobEvents;
  readonly deadlines: Deadlines;
  readonly turn: Turn;
  fence: number;
}
