/** Owns the port of pipeline runs: one document a run, advanced by compare-and-set. */
import type { RunError } from './runs.ts';

/** `expanded`: a group that has become further steps. `skipped`: an optional step that did not finish. */
export type StepState = 'waiting' | 'enqueued' | 'expanded' | 'committed' | 'skipped' | 'failed';
export interface PipelineStepState {
  readonly state: StepState;
  readonly runKey?: string;
  /** The pipeline run that this step is, where it is one. */
  readonly run?: string;
  /** Kept from the run that this one is a re-run of. */
  readonly reused?: boolean;
  /** Of a committed step, unless it is large: then the ledger alone has it. */
  readonly output?: unknown;
  /** Of the contract that the output fits; absent: 1. */
  readonly outputVersion?: number;
  readonly error?: RunError;
  /** Of a group: rounds it has been expanded to. */
  readonly rounds?: number;
  readonly startedAt?: number;
  readonly endedAt?: number;
}
export interface PipelineRunDocument {
  readonly id: string;
  readonly tenant: string;
  readonly pipeline: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly asOf: number;
  readonly live: Readonly<Record<string, string>>;
  readonly state: 'running' | 'committed' | 'failed' | 'cancelled';
  readonly seq: number;
  /** The run of which this one is a step. */
  readonly parent?: string;
  /** The run that this one runs again, and from where. */
  readonly origin?: { readonly run: string; readonly from?: string };
  /** What ended the run beside its steps. */
  readonly error?: RunError;
  readonly steps: Readonly<Record<string, PipelineStepState>>;
  readonly createdAt: number;
  readonly changedAt: number;
  readonly endedAt?: number;
  /** Of an ended one: whether lineage has told of it; absent: it never will. */
  readonly told?: boolean;
}
export interface PipelineRuns {
  /** Ended ones that lineage is still to tell of. */
  untold(limit: number): Promise<PipelineRunDocument[]>;
  markTold(id: string): Promise<void>;
  /** Inserts if absent; returns what is there. */
  create(run: PipelineRunDocument): Promise<PipelineRunDocument>;
  read(id: string): Promise<PipelineRunDocument | undefined>;
  /** Compare-and-set on `seq`; false when somebody else advanced it. */
  advance(before: PipelineRunDocument, after: Omit<PipelineRunDocument, 'seq'>): Promise<boolean>;
  /** Runs that have not ended, in the order of their ids, behind `after`. */
  running(limit: number, after?: string): Promise<PipelineRunDocument[]>;
  latest(tenant: string, limit: number): Promise<PipelineRunDocument[]>;
}
