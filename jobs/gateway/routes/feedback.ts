/** Owns the routes of explicit feedback: answers go in as events, and who asks is told what each changes. */
import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import {
  effectOf,
  eventOfFeedback,
  feedbackSchema,
  FEEDBACK_SCHEMA_VERSION,
  feedbackTable,
} from '../../../shared/sources/feedback/schema.ts';
import { feedback } from '../../../shared/sources/feedback/source.ts';
import type { IngestionBatch } from '../../ingestion/contract.ts';
import { tenantOf } from '../authorise.ts';
import type { Tenants } from '../tenants.ts';
import { batchAnswerSchema, errorAnswers, keySchema, waitQuerySchema } from './answers.ts';
import { answerOf } from './records.ts';

/** Answers of one request. */
const ANSWERS_MAX = 1_000;

const effectSchema = z.object({
  counts: z
    .enum(['for', 'against', 'none'])
    .describe('for the item and what resembles it; against what was said for it before; or only measured'),
  weight: z.number(),
  shownAgain: z.boolean(),
});
const tableSchema = z.object({
  version: z.int(),
  interactions: z.int().describe('Version of the interaction table that effects are read from.'),
  effort: z.int().describe('Version of the effort table that features are read from.'),
  rows: z.array(
    z.object({
      response: z.string(),
      type: z.string(),
      valueMax: z.number().optional(),
      effect: effectSchema,
      lowest: effectSchema.optional(),
      features: z
        .object({ effort: z.number(), liking: z.boolean() })
        .describe('What it changes of features of the person.'),
    }),
  ),
});

export function registerFeedback(plain: FastifyInstance, tenants: Tenants): void {
  const app = plain.withTypeProvider<ZodTypeProvider>();
  app.route({
    method: 'POST',
    url: '/v1/feedback',
    config: { scope: 'events:write' },
    schema: {
      summary: 'Take in what people say on purpose, and say what it changes from the next refresh on',
      tags: ['records'],
      security: [{ key: [] }],
      querystring: waitQuerySchema,
      body: z.strictObject({ answers: z.array(feedbackSchema).min(1).max(ANSWERS_MAX), key: keySchema.optional() }),
      response: {
        200: batchAnswerSchema.extend({ schema: z.int(), effects: z.array(effectSchema) }),
        202: batchAnswerSchema.extend({ schema: z.int(), effects: z.array(effectSchema) }),
        ...errorAnswers,
      },
    },
    handler: async (request, reply) => {
      const { answers, key } = request.body;
      const { client } = tenants.get(tenantOf(request));
      const batch = { source: feedback.name, events: answers.map(eventOfFeedback), allowUnknownItems: true };
      const handle = await client.ingestion.enqueue(
        batch as unknown as IngestionBatch,
        key === undefined ? {} : { key },
      );
      const answer = await answerOf(handle, answers.length, request.query.wait);
      const told = { ...answer, schema: FEEDBACK_SCHEMA_VERSION, effects: answers.map(effectOf) };
      return reply.code(answer.state === 'done' ? 200 : 202).send(told);
    },
  });
  app.get(
    '/v1/feedback/schema',
    {
      schema: {
        summary: 'Which answers there are, what event each becomes, and what it changes',
        tags: ['records'],
        response: { 200: tableSchema },
      },
    },
    async () => feedbackTable(),
  );
}
