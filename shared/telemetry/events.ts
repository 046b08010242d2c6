/**
 * Owns the list of what can happen: every event of the one stream, its fields, and how loudly the log says it. docs/telemetry.md is
 * generated from it. No field is ever personal: ids here are run keys (a hash within), kinds, codes and names from the code.
 */
import type { AppError } from '../errors.ts';

/** What a field holds; with `?` it may be absent. */
type Field = `${'text' | 'number' | 'flag' | 'error'}${'' | '?'}`;
type Level = 'debug' | 'info' | 'warn' | 'error';

interface EventEntry {
  readonly level: Level;
  /** The line of the log. */
  readonly says: string;
  readonly fields: Readonly<Record<string, Field>>;
}

const JOB = { kind: 'text', jobId: 'text?', runKey: 'text?' } as const;
const ENDED = { ...JOB, effect: 'text', attempt: 'number', seconds: 'number' } as const;
const FAILED = { ...ENDED, code: 'text', error: 'error', cause: 'text?' } as const;

export const EVENTS = {
  'job.enqueued': { level: 'debug', says: 'a job was enqueued', fields: { ...JOB, by: 'text' } },
  'job.started': {
    level: 'debug',
    says: 'an attempt began',
    fields: { ...JOB, attempt: 'number', waitSeconds: 'number?' },
  },
  'job.claimed': {
    level: 'debug',
    says: 'a run was claimed',
    fields: { ...JOB, fence: 'number', unsettled: 'number' },
  },
  'job.progress': {
    level: 'debug',
    says: 'a job went on',
    fields: { ...JOB, done: 'number', total: 'number', label: 'text' },
  },
  'job.committed': {
    level: 'debug',
    says: 'the effect of a run is true',
    fields: { ...JOB, effect: 'text', computeSeconds: 'number' },
  },
  'job.completed': { level: 'debug', says: 'a job has its result', fields: ENDED },
  'job.retried': { level: 'warn', says: 'attempt failed, will be tried again', fields: FAILED },
  'job.deferred': { level: 'debug', says: 'a job was put off', fields: { ...FAILED, delaySeconds: 'number' } },
  'job.lost': { level: 'warn', says: 'another attempt has taken over', fields: FAILED },
  'job.unfollowed': { level: 'warn', says: 'ended, but not followed yet', fields: FAILED },
  'job.failed': { level: 'error', says: 'a job failed for good', fields: FAILED },
  'job.cancelled': { level: 'warn', says: 'a run was cancelled', fields: FAILED },
  'job.expired': { level: 'error', says: 'a run took too long', fields: FAILED },
  'job.dead-lettered': { level: 'error', says: 'run ended without an effect', fields: FAILED },
  'job.repeated': { level: 'debug', says: 'a job of an ended run was told how that ended', fields: ENDED },
  'task.ended': {
    level: 'debug',
    says: 'a thread ended a task',
    fields: {
      task: 'text',
      kind: 'text?',
      thread: 'number',
      seconds: 'number',
      queueSeconds: 'number',
      ok: 'flag',
      code: 'text?',
    },
  },
  'threads.replaced': {
    level: 'info',
    says: 'the threads of the pool were replaced',
    fields: { why: 'text', tasks: 'number', memoryMb: 'number' },
  },
  'pipeline.started': { level: 'debug', says: 'a pipeline run began', fields: { pipeline: 'text', run: 'text' } },
  'pipeline.step': {
    level: 'debug',
    says: 'a step of a pipeline run changed',
    fields: { pipeline: 'text', run: 'text', step: 'text', state: 'text' },
  },
  'pipeline.ended': {
    level: 'info',
    says: 'a pipeline run ended',
    fields: { pipeline: 'text', run: 'text', state: 'text', seconds: 'number' },
  },
  'sweep.ended': {
    level: 'debug',
    says: 'a sweep ended',
    fields: { seconds: 'number', ok: 'flag' },
  },
  'collection.ended': {
    level: 'info',
    says: 'what nobody names was collected',
    fields: {
      seconds: 'number',
      whole: 'flag',
      heldBy: 'text?',
      releases: 'number',
      versions: 'number',
      blocks: 'number',
      manifestEntries: 'number',
      claimParts: 'number',
      runs: 'number',
      pipelineRuns: 'number',
      exposures: 'number',
      quarantine: 'number',
      personWindows: 'number',
      lineage: 'number',
      lineageEvents: 'number',
    },
  },
  'events.expired': {
    level: 'info',
    says: 'events left that their sources keep no longer',
    fields: { events: 'number' },
  },
  'quality.judged': {
    level: 'info',
    says: 'accounts of a data set were told from people',
    fields: { rows: 'number', looked: 'flag', accounts: 'number', held: 'number', campaigns: 'number' },
  },
  'store.operation': {
    level: 'debug',
    says: 'the store answered',
    fields: { port: 'text', operation: 'text', seconds: 'number', ok: 'flag', code: 'text?' },
  },
  'http.request': {
    level: 'debug',
    says: 'a request was answered',
    fields: { server: 'text', method: 'text', route: 'text', status: 'number', seconds: 'number' },
  },
} as const satisfies Readonly<Record<string, EventEntry>>;

export type EventName = keyof typeof EVENTS;

interface Values {
  readonly text: string;
  readonly number: number;
  readonly flag: boolean;
  readonly error: ReturnType<AppError['toJSON']>;
}
type ValueOf<F> = F extends `${infer V extends keyof Values}?`
  ? Values[V] | undefined
  : F extends keyof Values
    ? Values[F]
    : never;
type Optional<F> = { [K in keyof F]: F[K] extends `${string}?` ? K : never }[keyof F];

/** The fields of an event, from the table. */
export type EventFields<N extends EventName> = (typeof EVENTS)[N]['fields'] extends infer F
  ? { readonly [K in Exclude<keyof F, Optional<F>>]: ValueOf<F[K]> } & { readonly [K in Optional<F>]?: ValueOf<F[K]> }
  : never;
