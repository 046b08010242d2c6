/** Owns the route by which a service makes a token for a person: with it the person's own browser or app comes to `/v1/me`. */
import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { type Store, TOKEN_ACTS } from '../../../shared/store/ports.ts';
import { tenantOf } from '../authorise.ts';
import { errorAnswers } from './answers.ts';

const SECONDS_DEFAULT = 600;
const SECONDS_MAX = 3_600;

export function registerPersonTokens(plain: FastifyInstance, { personTokens }: Pick<Store, 'personTokens'>): void {
  const app = plain.withTypeProvider<ZodTypeProvider>();
  app.route({
    method: 'POST',
    url: '/v1/people/:user/tokens',
    config: { scope: 'people:write' },
    schema: {
      tags: ['people'],
      security: [{ key: [] }],
      summary: 'Make a token with which a person comes to /v1/me by themselves',
      description: 'Whoever holds it is taken for the person: make it once they have logged in with you.',
      params: z.object({ user: z.string().min(1).max(200).describe('The id that the sources use.') }),
      body: z
        .strictObject({
          acts: z
            .array(z.enum(TOKEN_ACTS))
            .min(1)
            .max(TOKEN_ACTS.length)
            .default([...TOKEN_ACTS])
            .describe('`read`: see what is held; `change`: consent, withdraw, ask for erasure, once.'),
          seconds: z.int().min(1).max(SECONDS_MAX).default(SECONDS_DEFAULT),
        })
        .nullish(),
      response: { 201: z.object({ token: z.string(), expiresAt: z.number() }), ...errorAnswers },
    },
    handler: async (request, reply) => {
      const { acts = TOKEN_ACTS, seconds = SECONDS_DEFAULT } = request.body ?? {};
      const made = await personTokens.mint(tenantOf(request), request.params.user, { acts, seconds });
      return reply.code(201).header('cache-control', 'no-store').send(made);
    },
  });
}
