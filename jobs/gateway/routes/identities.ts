/** Owns the route of identity links: somebody said that two names are one person, or that a profile belongs to an account, or took it back. */
import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Store } from '../../../shared/store/ports.ts';
import { tenantOf } from '../authorise.ts';
import { identitySchema, sayIdentity } from '../identities.ts';
import { errorAnswers } from './answers.ts';

export function registerIdentities(plain: FastifyInstance, store: Store, now: () => number): void {
  const app = plain.withTypeProvider<ZodTypeProvider>();
  app.route({
    method: 'POST',
    url: '/v1/identities',
    config: { scope: 'events:write', trail: 'each' },
    schema: {
      summary: 'Link a device, an anonymous id or a profile to a person or account, for purposes; or take that back',
      tags: ['records'],
      security: [{ key: [] }],
      body: identitySchema,
      response: { 200: z.object({ stands: z.boolean() }), ...errorAnswers },
    },
    handler: async (request) => ({ stands: await sayIdentity(store, tenantOf(request), request.body, now()) }),
  });
}
