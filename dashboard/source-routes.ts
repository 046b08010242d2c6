/** Owns the pages of sources: all that anything came from, and the days of one. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { CappedShare } from '../shared/numerics/interactions/columns.ts';
import { sourceNameSchema } from '../shared/contract-kit/names.ts';
import { AppError } from '../shared/errors.ts';
import type { SourceReport } from '../shared/numerics/quality/source-report.ts';
import { SOURCES, sourceOf } from '../shared/sources/registry.ts';
import type { QuarantinedBatch, Store } from '../shared/store/ports.ts';
import { readSourceReports } from '../shared/store/source-reports.ts';
import type { Markup } from './html.ts';
import type { OverviewSources } from './overview/read.ts';
import type { Frame } from './pages/layout.ts';
import { type SourceLine, sourcePage, sourcesPage } from './pages/source-pages.ts';

const DAYS_SHOWN = 14;
/** Batches that wait and are counted; more are said to be more. */
const WAITING_MAX = 10_000;

type Show = (request: FastifyRequest, reply: FastifyReply, frame: Frame, main: Markup) => FastifyReply;

/** What waits of each source. */
async function waitingOf(store: Store, tenant: string): Promise<Map<string, QuarantinedBatch[]>> {
  const bySource = new Map<string, QuarantinedBatch[]>();
  let read = 0;
  for await (const batch of store.quarantine.list(tenant)) {
    if (read++ === WAITING_MAX) break;
    const known = bySource.get(batch.source);
    if (known === undefined) bySource.set(batch.source, [batch]);
    else known.push(batch);
  }
  return bySource;
}

/** What the model that is live learned less of than its sources claim. */
async function cappedInLive(store: Store, tenant: string): Promise<readonly CappedShare[]> {
  const release = await store.releases.live(tenant);
  if (release?.embeddings == null) return [];
  const { meta } = await store.versions.read(tenant, release.embeddings);
  return (meta['capped'] ?? []) as readonly CappedShare[];
}

async function readLines({ now, store, tenant }: OverviewSources): Promise<SourceLine[]> {
  const [reports, waiting, capped, mappings] = await Promise.all([
    readSourceReports(store, tenant, now(), DAYS_SHOWN),
    waitingOf(store, tenant),
    cappedInLive(store, tenant),
    store.mappings.list(tenant),
  ]);
  const reportOf = new Map(reports.map((report) => [report.source, report]));
  const names = new Set([...reportOf.keys(), ...waiting.keys()]);
  const lineOf = (name: string): SourceLine => {
    const declared = sourceOf(name);
    const cap = capped.find(({ source }) => source === name);
    const added = mappings.filter(({ source }) => source === name).map(({ schema }) => schema);
    return {
      name,
      declared,
      isDeclared: SOURCES.some((one) => one.name === name),
      report: reportOf.get(name) ?? emptyReport(name),
      waiting: waiting.get(name) ?? [],
      schemas: [...Object.keys(declared.schemas), ...added],
      ...(cap === undefined ? {} : { capped: cap }),
    };
  };
  return [...names].sort().map(lineOf);
}

const emptyReport = (source: string): SourceReport => ({ source, score: Number.NaN, standing: 'unknown', days: [] });

export function registerSources(app: FastifyInstance, sources: OverviewSources, show: Show): void {
  const { store, tenant } = sources;

  app.get('/sources', { config: { permission: 'jobs:read' } }, async (request, reply) => {
    const [lines, heldAccounts] = await Promise.all([readLines(sources), store.verdicts.count(tenant)]);
    return show(request, reply, { title: 'Sources', here: 'sources' }, sourcesPage(lines, heldAccounts, DAYS_SHOWN));
  });

  app.get<{ Params: { source: string } }>(
    '/sources/:source',
    { config: { permission: 'jobs:read' } },
    async (request, reply) => {
      const { source } = request.params;
      const found = sourceNameSchema.safeParse(source).success
        ? (await readLines(sources)).find(({ name }) => name === source)
        : undefined;
      if (found === undefined)
        throw new AppError('NOT_FOUND', { message: `Nothing came from such a source in the last ${DAYS_SHOWN} days.` });
      return show(request, reply, { title: `Source ${source}`, here: 'sources' }, sourcePage(found, DAYS_SHOWN));
    },
  );
}
