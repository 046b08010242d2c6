/** Owns `millrace quarantine`: batches that wait until their schema version is known, and events beyond the limit of their person; listed and released. */
import type { Command } from 'commander';
import type { CanonicalEvent } from '../../../shared/contract-kit/event.ts';
import { AppError } from '../../../shared/errors.ts';
import { windowOf } from '../../../shared/sources/person-limit.ts';
import { sourceOf } from '../../../shared/sources/registry.ts';
import type { QuarantinedBatch, Store } from '../../../shared/store/ports.ts';
import type { IngestionOutput } from '../../client/batch-handle.ts';
import type { Cli } from '../cli.ts';
import { count, table } from '../output.ts';
import type { Session } from '../session.ts';
import { noteMissingWorkers } from '../waiting.ts';

interface Filter {
  readonly source?: string;
  readonly schema?: string;
}

interface Body {
  readonly events: readonly unknown[];
  readonly allowUnknownItems?: boolean;
}

interface Released {
  readonly id: string;
  readonly released: boolean;
  readonly accepted: number;
  readonly duplicates: number;
  readonly rejected: IngestionOutput['rejected'];
}

const REJECTIONS_SHOWN_MAX = 20;
/** Refusals that another mapping could mend: the batch stays where it is. */
const MENDABLE = new Set(['EVENT_INVALID', 'EVENT_IN_FUTURE', 'EVENT_NOT_OF_SOURCE']);

async function held(store: Store, tenant: string, filter: Filter): Promise<QuarantinedBatch[]> {
  const batches: QuarantinedBatch[] = [];
  for await (const batch of store.quarantine.list(tenant, filter)) batches.push(batch);
  return batches;
}

async function refuseUnmapped(store: Store, tenant: string, { source, schema }: QuarantinedBatch): Promise<void> {
  if (schema === undefined) return;
  if (Object.hasOwn(sourceOf(source).schemas, schema)) return;
  if ((await store.mappings.read(tenant, source, schema)) !== undefined) return;
  throw new AppError('SCHEMA_UNKNOWN', {
    message: `Nobody has said what version "${schema}" of ${source} means.`,
    details: { source, schema },
  });
}

/** What was beyond the limit of its person goes in now, and what else they did in these windows too. */
async function liftLimit(store: Store, tenant: string, { source }: QuarantinedBatch, { events }: Body): Promise<void> {
  const { perPerson } = sourceOf(source);
  if (perPerson === null) return;
  const windows = new Map<string, { user: string; window: number }>();
  for (const { user, occurredAt } of events as readonly CanonicalEvent[]) {
    const window = windowOf(perPerson, occurredAt);
    windows.set(`${window} ${user}`, { user, window });
  }
  const all = [...windows.values()];
  const keys = store.people.keys(
    tenant,
    all.map(({ user }) => user),
  );
  const named = all.map(({ window }, n) => ({ source, window, subject: keys[n]! }));
  await store.personWindows.release(tenant, named);
}

/**
 * Sends the batch through ingestion again and lets go of it once all of it has gone in or was refused for good. Killed in between and asked
 * for again, nothing goes in twice: events are known by their ids.
 */
async function release(session: Session, store: Store, id: string): Promise<Released> {
  const { tenant } = session.config;
  const found = await store.quarantine.open(tenant, id);
  if (found === undefined) throw new AppError('NOT_FOUND', { message: `Nothing is held under "${id}".` });
  await refuseUnmapped(store, tenant, found.batch);
  const body = JSON.parse(Buffer.from(found.body).toString()) as Body;
  const { source, schema } = found.batch;
  if (schema === undefined) await liftLimit(store, tenant, found.batch, body);
  const allow = body.allowUnknownItems === undefined ? {} : { allowUnknownItems: body.allowUnknownItems };
  const what = schema === undefined ? { events: body.events as CanonicalEvent[] } : { events: body.events, schema };
  const handle = await session.client().ingestion.enqueue({ source, ...what, ...allow });
  const { accepted, duplicates, rejected, quarantined = 0 } = await handle.done({ signal: session.signal });
  const done = quarantined === 0 && !rejected.some(({ code }) => MENDABLE.has(code));
  if (done) await store.quarantine.release(tenant, id);
  return { id, released: done, accepted, duplicates, rejected };
}

function linesOf(all: readonly Released[]): string[] {
  const [accepted, duplicates] = [sum(all, 'accepted'), sum(all, 'duplicates')];
  const kept = all.filter(({ released }) => !released);
  const lines = [
    `${count(all.length - kept.length)} batches released: ${count(accepted)} events stored, ${count(duplicates)} were there already.`,
  ];
  if (kept.length > 0)
    lines.push(
      `${count(kept.length)} batches stay: their mapping makes events that are refused. Mend it and ask again.`,
    );
  const rejections = all.flatMap(({ id, rejected }) => rejected.map((rejection) => ({ id, ...rejection })));
  for (const { id, index, code, field, reason } of rejections.slice(0, REJECTIONS_SHOWN_MAX))
    lines.push(`  ${id} event ${index}: ${code}${field === undefined ? '' : ` in ${field}`}: ${reason}`);
  return lines;
}

const sum = (all: readonly Released[], name: 'accepted' | 'duplicates'): number =>
  all.reduce((total, one) => total + one[name], 0);

export function registerQuarantine({ program, run }: Cli): void {
  const quarantine = program
    .command('quarantine')
    .description('batches whose schema version is not known yet, and events beyond the limit of their person');
  const filtered = (command: Command): Command =>
    command.option('--source <name>', 'of this source alone').option('--schema <version>', 'of this version alone');
  filtered(quarantine.command('list').description('what is held, and why')).action((filter: Filter, command: Command) =>
    run(command, async ({ config, output, store }) => {
      const batches = await held(await store(), config.tenant, filter);
      const row = ({ id, source, schema, records, reason, heldAt }: QuarantinedBatch): string[] => [
        id,
        source,
        schema ?? '',
        `${count(records)} events`,
        reason,
        new Date(heldAt).toISOString(),
      ];
      output.result(batches, () => (batches.length === 0 ? 'Nothing is held.' : table(batches.map(row))));
    }),
  );
  filtered(
    quarantine
      .command('release [id]')
      .description('send through ingestion again, now that a mapping is there; or let in what was beyond a limit'),
  ).action((id: string | undefined, filter: Filter, command: Command) =>
    run(command, async (session) => {
      const store = await session.store();
      const ids = id === undefined ? (await held(store, session.config.tenant, filter)).map((one) => one.id) : [id];
      await noteMissingWorkers(session, 'ingestion');
      const all: Released[] = [];
      for (const one of ids) all.push(await release(session, store, one));
      session.output.result(all, () => (all.length === 0 ? 'Nothing is held.' : linesOf(all)));
    }),
  );
}
