/** Owns the route for events of lineage: what was told of runs, in the form of OpenLineage. */
import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Store } from '../../../shared/store/ports.ts';
import { tenantOf } from '../authorise.ts';
import { errorAnswers } from './answers.ts';

const LISTED_MAX = 1_000;
const LISTED_DEFAULT = 100;

const querySchema = z.strictObject({
  since: z.iso.datetime({ offset: true }).optional().describe('Kept from then on.'),
  after: z.string().max(100).optional().describe('Goes on behind an answer: its `next`.'),
  limit: z.coerce.number().int().min(1).max(LISTED_MAX).default(LISTED_DEFAULT),
});

export function registerLineage(plain: FastifyInstance, { lineageEvents }: Pick<Store, 'lineageEvents'>): void {
  const app = plain.withTypeProvider<ZodTypeProvider>();
  app.route({
    method: 'GET',
    url: '/v1/lineage/events',
    config: { scope: 'lineage:read' },
    schema: {
      tags: ['lineage'],
      security: [{ key: [] }],
      summary: 'Events of runs as OpenLineage 2-0-2, in the order in which they were kept',
      querystring: querySchema,
      response: {
        200: z.object({
          events: z.array(z.record(z.string(), z.unknown())),
          next: z.string().optional().describe('Absent: there are no more by now.'),
        }),
        ...errorAnswers,
      },
    },
    handler: async (request) => {
      const { after, limit, since } = request.query;
      const query = {
        ...(after === undefined ? {} : { after }),
        ...(since === undefined ? {} : { sinceMs: Date.parse(since) }),
      };
      const { events, next } = await lineageEvents.list(tenantOf(request), query, limit);
      const parsed = events.map(({ text }) => JSON.parse(text) as Record<string, unknown>);
      return next === undefined ? { events: parsed } : { events: parsed, next };
    },
  });
}
