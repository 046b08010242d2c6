/** Owns the routes for dead letters: list them, look at one, give them back to work. */
import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import {
  DEAD_LETTERS_MAX,
  type DeadLetterDesk,
  deadLetterPageSchema,
  deadLetterSchema,
  redriveResultsSchema,
} from '../../client/dead-letters.ts';
import { JOB_KINDS } from '../../registry.ts';
import { keyOf, tenantOf } from '../authorise.ts';
import { permitRunKey } from '../job-classes.ts';
import { errorAnswers, idSchema } from './answers.ts';

const askSchema = z.strictObject({
  kind: z.enum(JOB_KINDS).optional(),
  code: z
    .string()
    .regex(/^[A-Z_]{1,60}$/)
    .optional()
    .describe('Code it ended with.'),
  since: z.coerce.number().int().min(0).optional().describe('Ended then or later, ms since 1970.'),
  limit: z.coerce.number().int().min(1).max(DEAD_LETTERS_MAX).default(DEAD_LETTERS_MAX),
  after: z.string().max(400).optional().describe('`next` of the page before.'),
});
const bodySchema = z.strictObject({ runKeys: z.array(idSchema).min(1).max(DEAD_LETTERS_MAX) });

export function registerDeadLetters(plain: FastifyInstance, deskOf: (tenant: string) => DeadLetterDesk): void {
  const app = plain.withTypeProvider<ZodTypeProvider>();
  const about = { tags: ['dead letters'], security: [{ key: [] }] };
  app.route({
    method: 'GET',
    url: '/v1/dead-letters',
    config: { scope: 'jobs:read' },
    schema: {
      ...about,
      summary: 'Runs that ended without an effect, the latest end first',
      querystring: askSchema,
      response: { 200: deadLetterPageSchema, ...errorAnswers },
    },
    handler: async (request) => {
      const { kind, code, since, limit, after } = request.query;
      return deskOf(tenantOf(request)).page({
        limit,
        ...(kind === undefined ? {} : { kind }),
        ...(code === undefined ? {} : { code }),
        ...(since === undefined ? {} : { since }),
        ...(after === undefined ? {} : { after }),
      });
    },
  });
  app.route({
    method: 'GET',
    url: '/v1/dead-letters/:runKey',
    config: { scope: 'jobs:read' },
    schema: {
      ...about,
      summary: 'Why one run ended, and where its input lies',
      params: z.object({ runKey: idSchema }),
      response: { 200: deadLetterSchema, ...errorAnswers },
    },
    handler: (request) => deskOf(tenantOf(request)).show(request.params.runKey),
  });
  app.route({
    method: 'POST',
    url: '/v1/dead-letters/redrive',
    config: { scope: 'jobs:redrive' },
    schema: {
      ...about,
      summary: 'Give dead letters back to work',
      description:
        'Each input is checked against the contract of today first. Twice is once: what runs already is answered as `running`.',
      body: bodySchema,
      response: { 200: redriveResultsSchema, ...errorAnswers },
    },
    handler: async (request) => {
      const { runKeys } = request.body;
      for (const runKey of runKeys) permitRunKey(keyOf(request), runKey);
      return { results: await deskOf(tenantOf(request)).redrive(runKeys) };
    },
  });
}
