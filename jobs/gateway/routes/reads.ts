/** Owns the routes that serve what is published: recommendations and segments. */
import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { RECOMMENDATIONS_MAX, recommendationsResponseSchema, segmentsResponseSchema } from '../../client/responses.ts';
import { tenantOf } from '../authorise.ts';
import type { Recommender } from '../recommend.ts';
import { errorAnswers } from './answers.ts';

const K_DEFAULT = 10;
const userParams = z.object({ user: z.string().min(1).max(200) });

export function registerReads(plain: FastifyInstance, recommender: Recommender): void {
  const app = plain.withTypeProvider<ZodTypeProvider>();
  const about = { tags: ['published'], security: [{ key: [] }] };
  app.route({
    method: 'GET',
    url: '/v1/recommendations/:user',
    config: { scope: 'recommendations:read' },
    schema: {
      ...about,
      summary: 'The top items for a person',
      description:
        'From the live release. Newcomers, and people who withdrew their consent, get what is popular (`origin`). ' +
        'Every answer is recorded as an exposure; name its `requestId` in the events that follow.',
      params: userParams,
      querystring: z.object({ k: z.coerce.number().int().min(1).max(RECOMMENDATIONS_MAX).default(K_DEFAULT) }),
      response: { 200: recommendationsResponseSchema, ...errorAnswers },
    },
    handler: (request) => recommender.recommend(tenantOf(request), request.params.user, request.query.k),
  });
  app.route({
    method: 'GET',
    url: '/v1/segments/:user',
    config: { scope: 'segments:read' },
    schema: {
      ...about,
      summary: 'The segment of a person',
      params: userParams,
      response: { 200: segmentsResponseSchema, ...errorAnswers },
    },
    handler: (request) => recommender.segment(tenantOf(request), request.params.user),
  });
}
