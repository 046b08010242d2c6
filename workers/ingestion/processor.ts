/**
 * Owns ingestion: a batch of records goes in, or what came in is frozen into a data set version.
 *
 * Exactly once or not at all, as the state of the run says: before the commit only blocks are written that nothing names; what changes the
 * store (manifests, envelopes, catalogue, consent log) follows the commit, idempotently.
 */
import { ingestion } from '../../jobs/ingestion/contract.ts';
import type { ContractOutput, ContractParsed } from '../../shared/contract-kit/define-job.ts';
import { AppError } from '../../shared/errors.ts';
import { mappedEvent } from '../../shared/sources/mapping.ts';
import { SHORTEST_RETENTION_DAYS, sourceOf } from '../../shared/sources/registry.ts';
import type { RunDocument } from '../../shared/store/ports.ts';
import { defineProcessor, type Ports, type RunContext, type Written } from '../runtime/processor.ts';
import { type EventBatch, type EventPlan, type EventWork, followEvents, loadEvents, writeEvents } from './events.ts';
import { followHeld, type HeldPlan, type HeldWork, mappingFor, writeHeld } from './unknown-schema.ts';
import { followVerdicts, judge, type VerdictPlan } from './judging.ts';
import { followRecords, loadRecords, type RecordPlan, type RecordWork, writeRecords } from './records.ts';

type Output = ContractOutput<typeof ingestion>;
type Work = EventWork | RecordWork | HeldWork | { readonly what: 'compact'; readonly asOf: number };

async function load(input: ContractParsed<typeof ingestion>, context: RunContext): Promise<Work> {
  if ('compact' in input) return { what: 'compact', asOf: input.compact.asOf ?? context.asOf };
  if ('events' in input) return loadBatch(input, context);
  return loadRecords(input, context);
}

/** Canonical events, or records that a mapping makes canonical; what nobody can read is held. */
async function loadBatch(
  input: EventBatch & { readonly schema?: string | undefined },
  context: RunContext,
): Promise<Work> {
  const { source, schema } = input;
  if (schema === undefined) return loadEvents(input, context);
  const mapping = await mappingFor(source, schema, context);
  if (mapping === undefined) return { ...input, what: 'held', schema };
  return loadEvents({ ...input, events: input.events.map((record) => mappedEvent(record, mapping)) }, context);
}

async function write(work: Work, context: RunContext): Promise<Written<typeof ingestion>> {
  if (work.what === 'compact') return compact(work.asOf, context);
  if (work.what === 'held') return writeHeld(work, context);
  return work.what === 'events' ? writeEvents(work, context) : writeRecords(work, context);
}

/** Freezes all events recorded up to `asOf`, after what sources keep no longer has left: that is due whether this run commits or not. A version is seen by nobody who was not told its id. */
async function compact(asOf: number, context: RunContext): Promise<Written<typeof ingestion>> {
  const { store, tenant, runKey, fence, codeVersion, clock, telemetry } = context;
  let expired = 0;
  const draft = await store.events.freeze(tenant, runKey, fence, asOf, {
    now: clock.now(),
    daysOf: (source) => sourceOf(source).retentionDays,
    shortestDays: SHORTEST_RETENTION_DAYS,
    expired: (events) => {
      expired += events;
    },
  });
  if (expired > 0) telemetry.emit('events.expired', { events: expired });
  if (draft.rows === 0)
    throw new AppError('DATASET_EMPTY', { message: 'No event has been recorded yet.', details: { asOf } });
  const made = await store.versions.write({
    ...draft,
    tenant,
    kind: 'events',
    runKey,
    fence,
    asOf,
    inputs: [],
    codeVersion,
    meta: {},
  });
  const dataset = { version: made.version, rows: draft.rows, blocks: draft.blocks.length };
  const plan = await judge({ version: made.version, rows: draft.rows, asOf }, context);
  const lineage = { reads: [{ name: 'event-log', rows: draft.rows }] };
  return { output: { accepted: 0, duplicates: 0, rejected: [], dataset }, version: made.version, plan, lineage };
}

async function follow(run: RunDocument, ports: Ports): Promise<Output | undefined> {
  const plan = run.plan as EventPlan | RecordPlan | HeldPlan | VerdictPlan | undefined;
  if (plan === undefined) return undefined;
  if (plan.what === 'events') return followEvents(plan, run.output as Output, run.tenant, ports);
  if (plan.what === 'verdicts') await followVerdicts(plan, run, ports);
  else await (plan.what === 'held' ? followHeld(plan, run, ports) : followRecords(plan, run, ports));
  return undefined;
}

export default defineProcessor({
  contract: ingestion,
  consents: true,
  load,
  compute: async (work) => work,
  write,
  follow,
});
