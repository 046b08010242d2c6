/** Owns what `@millrace/client` exports. */
export type {
  CanonicalEventInput,
  CatalogueItemInput,
  ConsentRecordInput,
  PersonInput,
  Rejection,
} from '../../shared/contract-kit/event.ts';
export type { TlsTrust } from '../../shared/contract-kit/tls.ts';
export { AppError, type ErrorCodeName, toAppError } from '../../shared/errors.ts';
export { combineSums, type PartySum, type SumScheme, splitForSum } from '../../shared/contract-kit/secure-sum.ts';
export type { BackfillEvery } from '../backfill.ts';
export type { IngestionBatch } from '../ingestion/contract.ts';
export { PIPELINE_NAMES, type PipelineName, type PipelineParams } from '../pipelines.ts';
export { type InputOf, JOB_KINDS, type JobKind, type OutputOf } from '../registry.ts';
export type { Schedule, ScheduleInput } from '../schedules.ts';
export type { BatchHandle, IngestionOutput } from './batch-handle.ts';
export { type ConnectOptions, connect } from './connect.ts';
export type {
  DeadLetter,
  DeadLetterFilter,
  RedriveOptions,
  RedriveReport,
  RedriveResult,
} from './dead-letters.ts';
export type {
  ConsentGiven,
  ConsentsClient,
  ConsentsOfPerson,
  ConsentWithdrawn,
  GiveConsent,
  PurposesResponse,
  SignedReceipt,
  WithdrawConsent,
} from './consents.ts';
export type { GatewayAddress } from './gateway-client.ts';
export { ENQUEUE_MANY_MAX, type EnqueueManyOptions, type EnqueueOptions, type KindClient } from './job-client.ts';
export type { IngestionClient } from './ingestion-client.ts';
export type { JobHandle, JobProgress } from './job-handle.ts';
export type { ClientOf, Millrace, ReleasesClient } from './millrace.ts';
export type {
  BackfillSpan,
  PipelineClient,
  PipelineDocument,
  PipelineRun,
  PipelineState,
  RerunOptions,
  StartedPipeline,
} from './pipelines-client.ts';
export type { RecommendationsResponse, ReleasePointer, ReleasesResponse, SegmentsResponse } from './responses.ts';
export type { ListedSchedule, SchedulesClient } from './schedules-client.ts';
export type { JobState } from './transport.ts';
export type { WaitOptions } from './wait.ts';
