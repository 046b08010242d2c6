/**
 * Owns the way of items, people and consents into the store. Their upserts are idempotent, but a run that is cancelled or dead-lettered must
 * leave nothing behind, so they wait in encrypted blocks and are applied after the commit.
 */
import {
  type CatalogueItem,
  type ConsentRecord,
  checkRecord,
  itemSchema,
  type Person,
  personSchema,
  type Rejection,
} from '../../shared/contract-kit/event.ts';
import { checkConsent } from '../../shared/contract-kit/check-consent.ts';
import {
  type ConsentSnapshot,
  type Intent,
  recordOrderOf,
  type RunDocument,
  type SubjectKey,
  type VersionDraft,
} from '../../shared/store/ports.ts';
import type { Ports, RunContext } from '../runtime/processor.ts';
import { checkEach, inOrder, lastOfEach } from './batch.ts';
import { knownPeople, withoutErased } from './known.ts';
import { EVERY_SOURCE } from '../../shared/governance/consent-state.ts';
import { hexOf } from '../../shared/governance/keys.ts';
import { keepPending, readPending, shredPending } from '../runtime/pending-payload.ts';

export type RecordBatch = { readonly indices?: readonly number[] | undefined } & (
  | { readonly items: readonly unknown[] }
  | { readonly people: readonly unknown[] }
  | { readonly consents: readonly unknown[] }
);

type Records =
  | { readonly what: 'items'; readonly records: readonly CatalogueItem[] }
  | { readonly what: 'people'; readonly records: readonly Person[] }
  | { readonly what: 'consents'; readonly records: readonly ConsentRecord[] };

export type RecordWork = Records & {
  readonly repeated: number;
  readonly rejected: readonly Rejection[];
  /** Something is withdrawn that was allowed before: what it alone justified is to go. */
  readonly withdraws?: boolean;
};

/** What lineage calls what the records go into. */
const SETS = { items: 'catalogue', people: 'people', consents: 'consents' } as const;

export interface RecordPlan {
  readonly what: Records['what'];
  /** Absent when no record was good. */
  readonly pending?: VersionDraft;
}

const byId = (record: { readonly id: string }): string => record.id;

/** Checked one by one; what is about people who were erased is refused. */
export async function loadRecords(batch: RecordBatch, context: RunContext): Promise<RecordWork> {
  const { store, tenant } = context;
  const snapshot = await (context.consents ?? store.consents.snapshot(tenant));
  const keyOf = (user: string): SubjectKey => store.people.keys(tenant, [user])[0]!;
  if ('consents' in batch) return checkConsents(batch, snapshot, keyOf, context);
  return checkRecords(batch, (user) => snapshot.isErased(keyOf(user)));
}

type PlainBatch = Exclude<RecordBatch, { readonly consents: unknown }>;

function checkRecords(batch: PlainBatch, isErased: (user: string) => boolean): RecordWork {
  if ('items' in batch) {
    const { good, rejected } = checkEach(batch.items, batch.indices, (record, at) =>
      checkRecord(itemSchema, record, at),
    );
    const { kept, replaced } = lastOfEach(good, byId);
    return { what: 'items', records: kept, repeated: replaced, rejected: inOrder(rejected) };
  }
  const { good, rejected } = checkEach(batch.people, batch.indices, (record, at) => {
    const checked = checkRecord(personSchema, record, at);
    return checked.ok && isErased(checked.value.id) ? erasedAt(at, 'id') : checked;
  });
  const { kept, replaced } = lastOfEach(good, byId);
  return { what: 'people', records: kept, repeated: replaced, rejected: inOrder(rejected) };
}

/** Every consent counts, in the order given: it is a history. Nobody withdraws of whom nothing is held and nothing was heard, this batch included. */
async function checkConsents(
  batch: Extract<RecordBatch, { readonly consents: unknown }>,
  snapshot: ConsentSnapshot,
  keyOf: (user: string) => SubjectKey,
  { store, tenant, clock }: RunContext,
): Promise<RecordWork> {
  const now = clock.now();
  const { good, rejected } = checkEach(batch.consents, batch.indices, (record, at) => {
    const checked = checkConsent(record, at, now);
    return checked.ok && snapshot.isErased(keyOf(checked.value.user)) ? erasedAt(at, 'user') : checked;
  });
  const isHeard = (user: string): boolean => snapshot.sourcesOf(keyOf(user)).length > 0;
  const given = new Set(good.flatMap(({ value }) => (value.state === 'given' ? [value.user] : [])));
  const unheard = good.filter(
    ({ value }) => value.state === 'withdrawn' && !given.has(value.user) && !isHeard(value.user),
  );
  const held = await store.people.open(
    tenant,
    unheard.map(({ value }) => keyOf(value.user)),
  );
  const unknown = new Set(unheard.filter(({ value }) => !held.has(hexOf(keyOf(value.user)))));
  for (const { index } of unknown)
    rejected.push({ index, code: 'PERSON_UNKNOWN', field: 'user', reason: 'nothing is held of them' });
  const records = good.filter((one) => !unknown.has(one)).map(({ value }) => value);
  const withdraws = records.some((record) => takesAway(record, snapshot, keyOf(record.user)));
  return { what: 'consents', records, repeated: 0, rejected: inOrder(rejected), withdraws };
}

/** Whether something was allowed until now that the record withdraws. One that comes again takes nothing away. */
function takesAway(
  { state, purposes, source }: ConsentRecord,
  snapshot: ConsentSnapshot,
  subject: SubjectKey,
): boolean {
  if (state === 'given') return false;
  const about = source === EVERY_SOURCE ? snapshot.sourcesOf(subject) : [source];
  return about.some((name) => purposes.some((purpose) => snapshot.allows(subject, purpose, name)));
}

const erasedAt = (index: number, field: string) => ({
  ok: false as const,
  rejection: { index, code: 'PERSON_ERASED', field, reason: 'was erased' },
});

export async function writeRecords(work: RecordWork, context: RunContext) {
  const { what, records, repeated, rejected, withdraws = false } = work;
  const pending = records.length === 0 ? undefined : await keepPending(records, records.length, context);
  const plan: RecordPlan = pending === undefined ? { what } : { what, pending };
  const writes = [{ name: SETS[what], rows: records.length }];
  const output = { accepted: records.length, duplicates: repeated, rejected: [...rejected] };
  return { output, plan, next: withdraws ? [settlingOf(context.runKey)] : [], lineage: { writes } };
}

/** Once the words are recorded, what they took the ground from is removed: one job for all that this run brought, which names nobody. */
const settlingOf = (runKey: string): Intent => ({
  type: 'enqueue',
  kind: 'governance',
  key: `said.${runKey}`,
  input: { act: 'settle', saidBy: runKey },
});

export async function followRecords(plan: RecordPlan, run: RunDocument, ports: Ports): Promise<void> {
  const { tenant } = run;
  if (plan.pending === undefined) return;
  const records = await readPending<Records['records']>(tenant, plan.pending, ports.store);
  if (records === undefined) return;
  await apply({ what: plan.what, records } as Records, run, ports);
  await shredPending(tenant, plan.pending, ports.store);
}

async function apply(work: Records, run: RunDocument, { store, clock }: Ports): Promise<void> {
  const { tenant, runKey } = run;
  if (work.what === 'consents') {
    await store.consents.record(tenant, runKey, work.records);
    return;
  }
  if (work.what === 'items') {
    await store.items.upsert(tenant, work.records, recordOrderOf(run));
    return;
  }
  const kept = await withoutErased(store, tenant, work.records, ({ id }) => id);
  await store.people.upsert(tenant, kept, recordOrderOf(run));
  const ids = kept.map(({ id }) => id);
  knownPeople(store).add(store.people.keys(tenant, ids), clock.now());
}
