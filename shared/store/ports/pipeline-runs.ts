/** Owns the port of pipeline runs: one document a run, advanced by compare-and-set. */
import type { RunError } from './runs.ts';

export type StepState = 'waiting' | 'enqueued' | 'committed' | 'failed';
export interface PipelineStepState {
  readonly state: StepState;
  readonly runKey?: string;
  readonly output?: unknown;
  readonly error?: RunError;
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
  readonly steps: Readonly<Record<string, PipelineStepState>>;
  readonly createdAt: number;
  readonly changedAt: number;
  readonly endedAt?: number;
}
export interface PipelineRuns {
  /** Inserts if absent; returns what is there. */
  create(run: PipelineRunDocument): Promise<PipelineRunDocument>;
  read(id: string): Promise<PipelineRunDocument | undefined>;
  /** Compare-and-set on `seq`; false when somebody else advanced it. */
  advance(before: PipelineRunDocument, after: Omit<PipelineRunDocument, 'seq'>): Promise<boolean>;
  running(limit: number): Promise<PipelineRunDocument[]>;
  latest(tenant: string, limit: number): Promise<PipelineRunDocument[]>;
}
