/** Owns the page of the audit trail, for privacy officers and admins. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { keptTrailHead } from '../shared/governance/trail-heads.ts';
import type { TrailQuery } from '../shared/store/ports.ts';
import type { Show } from './dead-letter-routes.ts';
import type { OverviewSources } from './overview/read.ts';
import { trailPage } from './pages/trail-page.ts';

const ENTRIES_SHOWN = 100;

const word = z.string().trim().min(1).max(300).optional().catch(undefined);
const askSchema = z.object({
  actor: word,
  act: word,
  person: word,
  outcome: word,
  before: z.coerce.number().int().min(1).optional().catch(undefined),
});

export function registerTrailPage(
  app: FastifyInstance,
  { store, tenant, redis, prefix, now }: OverviewSources,
  show: Show,
): void {
  const config = { permission: 'trail:read' } as const;
  app.get('/trail', { config }, async (request, reply) => {
    const { person, ...asked } = askSchema.parse(request.query);
    const subject = person === undefined ? undefined : store.people.keys(tenant, [person])[0]!;
    const query: TrailQuery = { ...asked, ...(subject && { subject }) };
    const entries = await store.trail.read(tenant, query, ENTRIES_SHOWN);
    const isMore = entries.length === ENTRIES_SHOWN;
    return show(
      request,
      reply,
      { title: 'Audit trail', here: 'trail' },
      trailPage({ entries, asked: { ...asked, person }, isMore }, now()),
    );
  });

  app.get('/trail/check', { config }, async (request, reply) => {
    const kept = await keptTrailHead(redis, prefix, tenant);
    const report = await store.trail.verify(tenant, kept === undefined ? [] : [kept]);
    return show(request, reply, { title: 'Audit trail', here: 'trail' }, trailPage({ report }, now()));
  });
}
