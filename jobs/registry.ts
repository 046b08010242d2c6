/** Owns the one list of job kinds. Adding a kind: its two folders, and one line here. */
import type { Contract, ContractInput, ContractOutput } from '../shared/contract-kit/define-job.ts';
import { AppError } from '../shared/errors.ts';
import { asking } from './asking/contract.ts';
import { biasAudit } from './bias-audit/contract.ts';
import { candidateGeneration } from './candidate-generation/contract.ts';
import { embeddingTraining } from './embedding-training/contract.ts';
import { featureBuild } from './feature-build/contract.ts';
import { governance } from './governance/contract.ts';
import { ingestion } from './ingestion/contract.ts';
import { migration } from './migration/contract.ts';
import { modelSearch } from './model-search/contract.ts';
import { pipeline } from './pipeline/contract.ts';
import { privateStatistics } from './private-statistics/contract.ts';
import { segmentation } from './segmentation/contract.ts';
import { shardedTraining } from './sharded-training/contract.ts';
import { webhookDelivery } from './webhook-delivery/contract.ts';

export const CONTRACTS = {
  ingestion,
  'bias-audit': biasAudit,
  segmentation,
  'embedding-training': embeddingTraining,
  'candidate-generation': candidateGeneration,
  'feature-build': featureBuild,
  'model-search': modelSearch,
  'sharded-training': shardedTraining,
  asking,
  'private-statistics': privateStatistics,
  pipeline,
  governance,
  migration,
  'webhook-delivery': webhookDelivery,
} as const;

export type JobKind = keyof typeof CONTRACTS;
export type InputOf<K extends JobKind> = ContractInput<(typeof CONTRACTS)[K]>;
export type OutputOf<K extends JobKind> = ContractOutput<(typeof CONTRACTS)[K]>;

export const JOB_KINDS = Object.keys(CONTRACTS) as JobKind[];

export function isJobKind(kind: string): kind is JobKind {
  return Object.hasOwn(CONTRACTS, kind);
}

/** The contract of a kind; throws KIND_UNKNOWN. */
export function contractOf(kind: string): Contract {
  if (!isJobKind(kind))
    throw new AppError('KIND_UNKNOWN', {
      message: `There is no job kind "${kind}".`,
      details: { kind, known: JOB_KINDS },
    });
  return CONTRACTS[kind];
}
