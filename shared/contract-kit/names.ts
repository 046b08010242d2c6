/**
 * Owns the names that processes agree on: tenants, run keys, BullMQ job ids, Redis keys.
 *
 * runKey = tenant.kind.sha256(key). The BullMQ job id is a letter and the hash of the whole runKey: two tenants
 * share a queue, so a hash of the caller's key alone would let one tenant's job swallow another's.
 */
import { hash, randomFillSync } from 'node:crypto';
import { z } from 'zod';

export const DEFAULT_TENANT = 'main';
export const tenantSchema = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'lower-case letters, digits and dashes, at most 63');
export const sourceNameSchema = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'lower-case letters, digits and dashes, at most 63');

/** Name of the jobs that schedules produce. */
export const TICK_NAME = 'tick';
/** Id of a tenant's schedule in the queue. */
export const schedulerId = (tenant: string, name: string): string => `${tenant}.${name}`;

/** Hash of all schedules by id; a name of no kind, so no queue meets it. */
export const schedulesKey = (prefix: string): string => `${prefix}:schedules`;
/** Hash of schedules that were removed and are not forgotten by the store yet: one that is missing without it was lost with Redis. */
export const removedSchedulesKey = (prefix: string): string => `${prefix}:removed-schedules`;
/** Hash that mirrors how far each schedule has got, for clients without a store. */
export const tickMirrorKey = (prefix: string): string => `${prefix}:schedule-ticks`;

/** Default prefix of every Redis key; `{...}` keeps one deployment's keys in one cluster slot. */
export const DEFAULT_PREFIX = 'millrace';

// One-shot hashing and a pool of random bytes: both are on the path of every enqueued job.
const sha256Hex = (text: string): string => hash('sha256', text);
const KEY_BYTES = 32;
const randomPool = Buffer.alloc(KEY_BYTES * 256);
let randomUsed = randomPool.length;

function randomHex(): string {
  if (randomUsed === randomPool.length) {
    randomFillSync(randomPool);
    randomUsed = 0;
  }
  const from = randomUsed;
  randomUsed += KEY_BYTES;
  return randomPool.toString('hex', from, randomUsed);
}

export function runKeyOf(tenant: string, kind: string, key: string): string {
  return `${tenant}.${kind}.${sha256Hex(key)}`;
}

/** The run key of a job enqueued without a key: as unlikely to meet another as a hash. */
export function freshRunKey(tenant: string, kind: string): string {
  return `${tenant}.${kind}.${randomHex()}`;
}

const RUN_HASH_LENGTH = 12;

/** The id of the pipeline run that a job of kind `pipeline` starts. */
export function pipelineRunId(tenant: string, pipeline: string, startRunKey: string): string {
  return `${tenant}.${pipeline}.${sha256Hex(startRunKey).slice(0, RUN_HASH_LENGTH)}`;
}

/** The id of the one re-run that a pipeline run can have. */
export function rerunId(tenant: string, pipeline: string, run: string): string {
  return pipelineRunId(tenant, pipeline, `rerun.${run}`);
}

export function jobIdOf(runKey: string): string {
  return `r${sha256Hex(runKey)}`;
}

/** A priority class spans this many of the queue's priorities; within it, a tenant's backlog orders. */
export const PRIORITY_CLASS_SPAN = 2 ** 18;
/** Hash beside a kind's queue: unfinished jobs of each tenant, and the limits that were set. Its fields: see admission. */
export const backlogKey = (prefix: string, kind: string): string => `${prefix}:${kind}:backlog`;

const PIPELINE_CANCELS = 'pipeline:';
/** The name under which a pipeline run is cancelled; a job's is its run key. */
export const pipelineCancelName = (id: string): string => `${PIPELINE_CANCELS}${id}`;
/** The pipeline run that is cancelled under a name; undefined: it is a job's. */
export const pipelineOfCancelName = (name: string): string | undefined =>
  name.startsWith(PIPELINE_CANCELS) ? name.slice(PIPELINE_CANCELS.length) : undefined;

/** Durable mark that a run is to be cancelled. */
export const cancelKey = (prefix: string, runKey: string): string => `${prefix}:cancel:${runKey}`;
/** Turns alone of a run that took its workers down: see the runtime's isolation. */
export const aloneKey = (prefix: string, runKey: string): string => `${prefix}:alone:${runKey}`;
/** Channel that carries run keys to cancel. */
export const cancelChannel = (prefix: string): string => `${prefix}:cancel`;
/** How long a cancel mark is kept: longer than any run may wait and run. */
export const CANCEL_TTL_S = 14 * 24 * 3600;

/** Hash that mirrors the state of a pipeline run for clients without a store; the ledger stays the authority. */
export const pipelineKey = (prefix: string, tenant: string, id: string): string => `${prefix}:mirror:${tenant}:${id}`;
/** Field of that hash with the newest progress of a step, as JSON. */
export const pipelineProgressField = (step: string): string => `progress:${step}`;
/** Channel on which that mirror's changes are announced. */
export const pipelineChannel = (prefix: string, tenant: string, id: string): string =>
  `${prefix}:mirror:${tenant}:${id}:changes`;
export const PIPELINE_TTL_S = 7 * 24 * 3600;
