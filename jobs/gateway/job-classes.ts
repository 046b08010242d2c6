/** Owns which class a kind of jobs is of: who may enqueue, cancel and redrive it follows from the table of roles. A kind without a row does not compile. */
import { type Holder, type JobClass, permitRun } from '../../shared/governance/roles.ts';
import { isJobKind, type JobKind } from '../registry.ts';

export const JOB_CLASS: Readonly<Record<JobKind, JobClass>> = {
  ingestion: 'intake',
  'bias-audit': 'audit',
  segmentation: 'learning',
  'embedding-training': 'learning',
  'candidate-generation': 'learning',
  'feature-build': 'learning',
  'model-search': 'learning',
  'sharded-training': 'learning',
  asking: 'serving',
  pipeline: 'serving',
  'private-statistics': 'audit',
  governance: 'people',
  migration: 'upkeep',
  'webhook-delivery': 'upkeep',
};

/** Throws AUTH_ROLE_MISSING. Of a kind that there is not, whoever knows kinds says so. */
export function permitKind(holder: Holder, kind: string): void {
  if (isJobKind(kind)) permitRun(holder, JOB_CLASS[kind]);
}

/** By the run key, `tenant.kind.hash`. */
export const permitRunKey = (holder: Holder, runKey: string): void => permitKind(holder, runKey.split('.')[1] ?? '');
