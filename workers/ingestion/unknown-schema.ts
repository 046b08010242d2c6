/**
 * Owns batches whose schema version nobody has said the meaning of: kept whole and encrypted beside the store of events, seen once the run has
 * committed, until a mapping is added and they are released.
 */
import type { EventMapping } from '../../shared/sources/mapping.ts';
import { sourceOf } from '../../shared/sources/registry.ts';
import type { RunDocument } from '../../shared/store/ports.ts';
import type { Ports, RunContext } from '../runtime/processor.ts';
import { sourceSet } from './batch.ts';
import type { EventBatch } from './events.ts';

export interface HeldWork extends EventBatch {
  readonly what: 'held';
  readonly schema: string;
}

export interface HeldPlan {
  readonly what: 'held';
  /** The id of the held batch. */
  readonly held: string;
}

/** What a schema version means: as its source declares it, or as an operator has added it. */
export async function mappingFor(
  source: string,
  schema: string,
  { store, tenant }: RunContext,
): Promise<EventMapping | undefined> {
  const { schemas } = sourceOf(source);
  return Object.hasOwn(schemas, schema) ? schemas[schema] : store.mappings.read(tenant, source, schema);
}

const ID_CHARS = 24;
/** The end of the run key: a hash. */
export const idOfRun = (runKey: string): string => runKey.slice(runKey.lastIndexOf('.') + 1).slice(0, ID_CHARS);

export async function writeHeld({ source, schema, events, allowUnknownItems }: HeldWork, context: RunContext) {
  const { store, tenant, runKey } = context;
  const id = idOfRun(runKey);
  const body = Buffer.from(JSON.stringify({ events, allowUnknownItems }));
  const batch = { id, source, schema, reason: 'SCHEMA_UNKNOWN', records: events.length };
  await store.quarantine.prepare(tenant, batch, body);
  const plan: HeldPlan = { what: 'held', held: id };
  const rows = events.length;
  const lineage = { reads: [sourceSet(source, rows, schema)], writes: [{ name: 'quarantine', rows }] };
  return { output: { accepted: 0, duplicates: 0, rejected: [], quarantined: rows }, plan, lineage };
}

export async function followHeld({ held }: HeldPlan, { tenant }: RunDocument, { store }: Ports): Promise<void> {
  await store.quarantine.hold(tenant, held);
}
