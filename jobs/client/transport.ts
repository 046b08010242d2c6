/**
 * Owns what the client needs from whatever carries its jobs: Redis in a service, memory in a service's own tests.
 * Everything that decides (contracts, sealing, parts, errors) lies on this side of it.
 */
import type { Envelope, ScheduleRecord, TickMirror } from '../../shared/contract-kit/envelope.ts';
import type { JobKind } from '../registry.ts';
import type { MadeJob } from './make-job.ts';

/** `gone`: unknown, or finished so long ago that it was removed. */
export const JOB_STATES = ['waiting', 'delayed', 'active', 'completed', 'failed', 'cancelled', 'gone'] as const;
export type JobState = (typeof JOB_STATES)[number];

export interface StoredJob {
  readonly id: string;
  readonly envelope: Envelope;
  readonly state: Exclude<JobState, 'cancelled' | 'gone'>;
  readonly progress: unknown;
  readonly returnValue: unknown;
  readonly failedReason: string | undefined;
}

export type JobEnd =
  | { readonly how: 'completed'; readonly returnValue: unknown }
  | { readonly how: 'failed'; readonly failedReason: string }
  | { readonly how: 'gone' };

export interface JobListener {
  progress?(progress: unknown): void;
  /** Called at most once; nothing is called afterwards. */
  end(end: JobEnd): void;
  /** The watch itself cannot start; called at most once, instead of `end`. */
  failed(error: unknown): void;
}

/** A schedule as the carrier keeps it, and how far it has got (undefined: no worker has seen it yet). */
export interface StoredSchedule {
  readonly record: ScheduleRecord;
  readonly mirror: TickMirror | undefined;
}

export interface Transport {
  /**
   * Adds all jobs, in order; one whose id exists already changes nothing. Throws LIMIT_QUEUE_FULL and LIMIT_RATE with the number of
   * jobs that are in, in `details.accepted`.
   */
  add(kind: JobKind, jobs: readonly MadeJob[], signal?: AbortSignal): Promise<void>;
  /** The input hashes under which these ids are stored; undefined where there is no such job. */
  storedHashes(kind: JobKind, ids: readonly string[]): Promise<(string | undefined)[]>;
  read(kind: JobKind, id: string): Promise<StoredJob | undefined>;
  /** Follows a job until it ends or the returned function is called. The current progress is told first. */
  watch(kind: JobKind, id: string, listener: JobListener): () => void;
  cancel(runKey: string): Promise<void>;
  /** The mirror of a pipeline run as it was written; undefined: not there (yet). */
  readPipeline(id: string): Promise<unknown>;
  /** Calls `changed` soon after each change of a mirror, and from time to time. */
  watchPipeline(id: string, changed: () => void): () => void;
  readSchedule(id: string): Promise<ScheduleRecord | undefined>;
  listSchedules(): Promise<StoredSchedule[]>;
  writeSchedule(id: string, record: ScheduleRecord): Promise<void>;
  removeSchedule(id: string): Promise<boolean>;
  close(): Promise<void>;
}
