/**
 * Owns what a processor is: the part of a job that differs from kind to kind. The executor calls its functions
 * in this order: load -> compute -> write -> (commit by the executor) -> follow.
 *
 * load     reads what is needed through ports, under the run's consent epoch.
 * compute  does the maths in threads of the pool; no input or output.
 * write    puts immutable data into the store that nobody sees yet, and returns the output.
 * withdraw drops people who withdrew between load and commit from what `write` wrote.
 * follow   after the commit: makes it visible. Must be idempotent; needs nothing but the run document, since
 *          another process may do it after a crash. May return the final output.
 */
import type { ComputePool, OnProgress } from '../../shared/compute/task.ts';
import type { CheckpointRules, OpenLineageAddress } from '../../shared/config.ts';
import type { Clock } from '../../shared/clock.ts';
import type { Contract, ContractOutput, ContractParsed } from '../../shared/contract-kit/define-job.ts';
import type { ConsentSnapshot, Intent, RunDocument, RunLineage, Store, SubjectKey } from '../../shared/store/ports.ts';
import type { Payloads } from './payloads.ts';
import type { Announcer } from './announcer.ts';
import type { LineageRecorder } from './lineage-recorder.ts';
import type { Log } from '../../shared/telemetry/log.ts';
import type { Telemetry } from '../../shared/telemetry/stream.ts';

/** What every run of a process shares. */
export interface Ports {
  readonly store: Store;
  readonly pool: ComputePool;
  readonly clock: Clock;
  readonly log: Log;
  /** Where everything that happens is said; logs, metrics and traces listen. */
  readonly telemetry: Telemetry;
  /** Content hash of the sources. */
  readonly codeVersion: string;
  /** When trainings keep what they could go on from; absent: never. */
  readonly checkpoints?: CheckpointRules;
  /** Where TensorFlow's native engine lies, if the configuration says so. */
  readonly tfjsNative?: string;
  /** Told of every run that has ended; absent: nobody is. */
  readonly announcer?: Pick<Announcer, 'isWanted' | 'announce'>;
  /** Inputs of jobs, for who is to be taken out of them; absent: there are none. */
  readonly payloads?: Payloads;
  /** Told of runs as OpenLineage; absent: nobody is. */
  readonly lineage?: Pick<LineageRecorder, 'isWanted' | 'ended' | 'started' | 'startedPipeline' | 'endedPipeline'>;
  /** Where events of lineage are sent; absent: nowhere. */
  readonly openLineage?: OpenLineageAddress;
  /** Webhooks may go to private addresses. */
  readonly webhookPrivate?: boolean;
  /** Accounts that are judged not to be people are kept out of what is learned; absent: they are told only. */
  readonly holdsAccounts?: boolean;
}

export interface RunContext extends Ports {
  readonly tenant: string;
  readonly runKey: string;
  /** 0 for effect classes without a claim. */
  readonly fence: number;
  /** Moment that the run speaks of, ms since 1970. */
  readonly asOf: number;
  /** Epoch of the consent log, taken before anything was loaded. */
  readonly consentEpoch: number;
  /** When that was, ms since 1970; absent: consents that end meanwhile are not looked at. */
  readonly authorisedAt?: number;
  /** For processors with `consents`: a snapshot asked for while the run was claimed. */
  readonly consents?: Promise<ConsentSnapshot>;
  /** Aborted on cancel, deadline, lost lock and shutdown; its reason is an AppError. */
  readonly signal: AbortSignal;
  readonly progress: OnProgress;
}

/** What reaches whoever follows a run: the attempt that committed it, or a sweeper, which nobody ends. */
export interface Following {
  readonly signal: AbortSignal;
  readonly progress: OnProgress;
}

export interface Written<C extends Contract> {
  readonly output: ContractOutput<C>;
  /** The immutable version that the run made. */
  readonly version?: string;
  /** What `follow` needs beside the output; kept in the run document, so never personal in the clear. */
  readonly plan?: unknown;
  readonly next?: readonly Intent[];
  readonly lineage?: Partial<RunLineage>;
}

export interface Processor<C extends Contract = Contract, Loaded = unknown, Computed = unknown> {
  readonly contract: C;
  /** Load looks people's consents up: a snapshot is asked for with the claim, and comes in the context. */
  readonly consents?: true;
  load(input: ContractParsed<C>, context: RunContext): Promise<Loaded>;
  compute(loaded: Loaded, context: RunContext): Promise<Computed>;
  write(computed: Computed, context: RunContext): Promise<Written<C>>;
  withdraw?(written: Written<C>, subjects: readonly SubjectKey[], context: RunContext): Promise<void>;
  follow?(run: RunDocument, ports: Ports, following?: Following): Promise<ContractOutput<C> | undefined>;
}

/** Ties the three types of a processor together; at run time it is the identity. */
export function defineProcessor<C extends Contract, Loaded, Computed>(
  processor: Processor<C, Loaded, Computed>,
): Processor<C, Loaded, Computed> {
  return processor;
}

/** A processor whose types the executor need not know. */
export type AnyProcessor = Processor;
