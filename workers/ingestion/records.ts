/**
 * Owns the way of items, people and consents into the store. Their upserts are idempotent, but a run that is cancelled or dead-lettered must
 * leave nothing behind, so they wait in encrypted blocks and are applied after the commit.
 */
import {
  type CatalogueItem,
  type ConsentRecord,
  checkRecord,
  consentSchema,
  itemSchema,
  type Person,
  personSchema,
  type Rejection,
} from '../../shared/contract-kit/event.ts';
import { recordOrderOf, type RunDocument, type VersionDraft } from '../../shared/store/ports.ts';
import type { Ports, RunContext } from '../runtime/processor.ts';
import { checkEach, inOrder, lastOfEach } from './batch.ts';
import { knownPeople, withoutErased } from './known.ts';
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

export type RecordWork = Records & { readonly repeated: number; readonly rejected: readonly Rejection[] };

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
  return checkRecords(batch, (user) => snapshot.isErased(store.people.keys(tenant, [user])[0]!));
}

export function checkRecords(batch: RecordBatch, isErased: (user: string) => boolean): RecordWork {
  if ('items' in batch) {
    const { good, rejected } = checkEach(batch.items, batch.indices, (record, at) =>
      checkRecord(itemSchema, record, at),
    );
    const { kept, replaced } = lastOfEach(good, byId);
    return { what: 'items', records: kept, repeated: replaced, rejected: inOrder(rejected) };
  }
  if ('people' in batch) {
    const { good, rejected } = checkEach(batch.people, batch.indices, (record, at) => {
      const checked = checkRecord(personSchema, record, at);
      return checked.ok && isErased(checked.value.id) ? erasedAt(at, 'id') : checked;
    });
    const { kept, replaced } = lastOfEach(good, byId);
    return { what: 'people', records: kept, repeated: replaced, rejected: inOrder(rejected) };
  }
  const { good, rejected } = checkEach(batch.consents, batch.indices, (record, at) => {
    const checked = checkRecord(consentSchema, record, at);
    return checked.ok && isErased(checked.value.user) ? erasedAt(at, 'user') : checked;
  });
  // Every consent counts, in the order given: it is a history.
  return { what: 'consents', records: good.map(({ value }) => value), repeated: 0, rejected: inOrder(rejected) };
}

const erasedAt = (index: number, field: string) => ({
  ok: false as const,
  rejection: { index, code: 'PERSON_ERASED', field, reason: 'was erased' },
});

export async function writeRecords(work: RecordWork, context: RunContext) {
  const { what, records, repeated, rejected } = work;
  const pending = records.length === 0 ? undefined : await keepPending(records, records.length, context);
  const plan: RecordPlan = pending === undefined ? { what } : { what, pending };
  const writes = [{ name: SETS[what], rows: records.length }];
  return {
    output: { accepted: records.length, duplicates: repeated, rejected: [...rejected] },
    plan,
    lineage: { writes },
  };
}

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
