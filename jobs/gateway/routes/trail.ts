/** Owns the route of the audit trail: who looked at or did what. */
import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { type Store, TRAIL_ACTORS, type TrailEntry } from '../../../shared/store/ports.ts';
import { tenantOf } from '../authorise.ts';
import { errorAnswers } from './answers.ts';

const LISTED_MAX = 1_000;

const wordSchema = z.string().min(1).max(300);
const askSchema = z.strictObject({
  since: z.coerce.number().int().min(0).optional().describe('Not before that moment, ms since 1970.'),
  actor: wordSchema.optional().describe(`Of one actor; or of all of a kind: ${TRAIL_ACTORS.join(', ')}.`),
  act: wordSchema.optional().describe('Of one permission.'),
  person: z.string().min(1).max(200).optional().describe('About one person: the id that the sources use.'),
  outcome: wordSchema.optional().describe('`allowed`, `refused`, or a code.'),
  before: z.coerce.number().int().min(1).optional().describe('Only lower numbers: `n` of the last entry of a page.'),
  limit: z.coerce.number().int().min(1).max(LISTED_MAX).default(100),
});

const entrySchema = z.object({
  n: z.int(),
  at: z.number(),
  actor: z.object({ kind: z.enum(TRAIL_ACTORS), id: z.string() }),
  role: z.string().optional().describe('Role, or scopes of the key.'),
  act: z.string().describe('The permission that it needed.'),
  object: z.string().describe('Route, command or kind.'),
  ids: z.array(z.string()).optional(),
  person: z.string().optional().describe('Pseudonym under a key that goes when the person is erased.'),
  outcome: z.string().describe('`allowed`, or the code that it was refused with.'),
  request: z.string().optional(),
  count: z.int().optional().describe('So many alike within a minute.'),
  prev: z.string(),
  hash: z.string(),
});

export function registerTrailRoute(plain: FastifyInstance, store: Store): void {
  const app = plain.withTypeProvider<ZodTypeProvider>();
  app.route({
    method: 'GET',
    url: '/v1/trail',
    config: { scope: 'trail:read' },
    schema: {
      tags: ['people'],
      security: [{ key: [] }],
      summary: 'Entries of the audit trail, newest first',
      querystring: askSchema,
      response: { 200: z.object({ entries: z.array(entrySchema) }), ...errorAnswers },
    },
    handler: async (request) => {
      const tenant = tenantOf(request);
      const { person, limit, ...asked } = request.query;
      const subject = person === undefined ? undefined : store.people.keys(tenant, [person])[0]!;
      const entries = await store.trail.read(tenant, { ...asked, ...(subject && { subject }) }, limit);
      return { entries: entries.map(plainEntry) };
    },
  });
}

/** As the schema has it: its array is the route's own. */
const plainEntry = ({ ids, ...entry }: TrailEntry): z.input<typeof entrySchema> => ({
  ...entry,
  ...(ids && { ids: [...ids] }),
});
