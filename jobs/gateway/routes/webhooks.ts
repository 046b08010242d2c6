/** Owns the routes for webhooks: register an address that is told of ended runs, list them, remove one. */
import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { AppError } from '../../../shared/errors.ts';
import { webhookUrl } from '../../../shared/http/webhook-address.ts';
import type { Store } from '../../../shared/store/ports.ts';
import { JOB_KINDS } from '../../registry.ts';
import { WEBHOOK_STATES } from '../../webhook-delivery/contract.ts';
import { tenantOf } from '../authorise.ts';
import { errorAnswers, idSchema } from './answers.ts';

const webhookSchema = z.object({
  id: z.string(),
  url: z.string(),
  kinds: z.array(z.string()),
  states: z.array(z.enum(WEBHOOK_STATES)),
  createdAt: z.number(),
});
const createdSchema = webhookSchema.extend({
  secret: z.string().describe('Shown once: what deliveries are signed with, as Standard Webhooks has it.'),
});
const bodySchema = z.strictObject({
  url: z.string().max(2_000).describe('A public https address.'),
  kinds: z.array(z.enum(JOB_KINDS)).max(50).default([]).describe('Kinds of runs; empty: all.'),
  states: z.array(z.enum(WEBHOOK_STATES)).max(4).default([]).describe('How runs ended; empty: all ways.'),
});

export function registerWebhooks(plain: FastifyInstance, store: Store, allowPrivate: boolean): void {
  const app = plain.withTypeProvider<ZodTypeProvider>();
  const about = { tags: ['webhooks'], security: [{ key: [] }] };
  const config = { scope: 'webhooks:write' } as const;
  app.route({
    method: 'POST',
    url: '/v1/webhooks',
    config,
    schema: {
      ...about,
      summary: 'Register an address that is told of ended runs',
      body: bodySchema,
      response: { 201: createdSchema, ...errorAnswers },
    },
    handler: async (request, reply) => {
      webhookUrl(request.body.url, allowPrivate);
      const { webhook, secret } = await store.webhooks.create(tenantOf(request), request.body);
      return reply.code(201).send({ ...webhook, kinds: [...webhook.kinds], states: [...webhook.states], secret });
    },
  });
  app.route({
    method: 'GET',
    url: '/v1/webhooks',
    config,
    schema: { ...about, summary: 'Registered addresses', response: { 200: z.array(webhookSchema), ...errorAnswers } },
    handler: async (request) =>
      (await store.webhooks.list(tenantOf(request))).map((one) => ({
        ...one,
        kinds: [...one.kinds],
        states: [...one.states],
      })),
  });
  app.route({
    method: 'DELETE',
    url: '/v1/webhooks/:id',
    config,
    schema: {
      ...about,
      summary: 'Remove a registration; deliveries under way end',
      params: z.object({ id: idSchema }),
      response: { 200: z.object({ id: z.string() }), ...errorAnswers },
    },
    handler: async (request) => {
      const { id } = request.params;
      if (await store.webhooks.remove(tenantOf(request), id)) return { id };
      throw new AppError('NOT_FOUND', { message: `There is no webhook ${id}.` });
    },
  });
}
