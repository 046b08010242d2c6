/**
 * Owns ingestion: a batch of records goes in, or what came in is frozen into a data set version.
 *
 * Exactly once or not at all, as the state of the run says: before the commit only blocks are written that nothing names; what changes the
 * store (manifests, envelopes, catalogue, consent log) follows the commit, idempotently.
 */
import { ingestion } from '../../jobs/ingestion/contract.ts';
import type { ContractOutput, ContractParsed } from '../../shared/contract-kit/define-job.ts';
import { AppError } from '../../shared/errors.ts';
import type { RunDocument } from '../../shared/store/ports.ts';
import { defineProcessor, type Ports, type RunContext, type Written } from '../runtime/processor.ts';
import { type EventPlan, type EventWork, followEvents, loadEvents, writeEvents } from './events.ts';
import { checkRecords, followRecords, type RecordPlan, type RecordWork, writeRecords } from './records.ts';

type Output = ContractOutput<typeof ingestion>;
type Work = EventWork | RecordWork | { readonly what: 'compact'; readonly asOf: number };

async function load(input: ContractParsed<typeof ingestion>, context: RunContext): Promise<Work> {
  if ('compact' in input) return { what: 'compact', asOf: input.compact.asOf ?? context.asOf };
  if ('events' in input) return loadEvents(input, context);
  return checkRecords(input);
}

async function write(work: Work, context: RunContext): Promise<Written<typeof ingestion>> {
  if (work.what === 'compact') return compact(work.asOf, context);
  return work.what === 'events' ? writeEvents(work, context) : writeRecords(work, context);
}

/** Freezes all events recorded up to `asOf`. A version is seen by nobody who was not told its id. */
async function compact(asOf: number, context: RunContext): Promise<Written<typeof ingestion>> {
  const { store, tenant, runKey, fence, codeVersion } = context;
  const draft = await store.events.freeze(tenant, runKey, fence, asOf);
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
  return { output: { accepted: 0, duplicates: 0, rejected: [], dataset }, version: made.version };
}

async function follow(run: RunDocument, ports: Ports): Promise<Output | undefined> {
  const plan = run.plan as EventPlan | RecordPlan | undefined;
  if (plan === undefined) return undefined;
  if (plan.what === 'events') return followEvents(plan, run.output as Output, run.tenant, ports);
  await followRecords(plan, run, ports);
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
