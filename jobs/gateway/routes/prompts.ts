/** Owns the routes of asking: whom to ask now, what was done with the question, and what the answers changed. */
import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Store } from '../../../shared/store/ports.ts';
import { effectsResponseSchema, PROMPT_NOTES, promptResponseSchema } from '../../client/responses.ts';
import { tenantOf } from '../authorise.ts';
import { PromptDesk } from '../prompts.ts';
import { errorAnswers } from './answers.ts';

const params = z.object({ user: z.string().min(1).max(200) });

export function registerPrompts(plain: FastifyInstance, store: Store, now: () => number): void {
  const app = plain.withTypeProvider<ZodTypeProvider>();
  const desk = new PromptDesk(store, now);
  const about = { tags: ['published'], security: [{ key: [] }] };
  app.route({
    method: 'GET',
    url: '/v1/prompts/:user',
    config: { scope: 'recommendations:read' },
    schema: {
      ...about,
      summary: 'The question that a person may be asked now, if any',
      params,
      response: { 200: promptResponseSchema, ...errorAnswers },
    },
    handler: (request) => desk.next(tenantOf(request), request.params.user),
  });
  app.route({
    method: 'POST',
    url: '/v1/prompts/:user',
    config: { scope: 'events:write' },
    schema: {
      ...about,
      summary: 'Note that a person was asked, or wants no questions (any more)',
      params,
      body: z.strictObject({ did: z.enum(PROMPT_NOTES) }),
      response: { 200: promptResponseSchema, ...errorAnswers },
    },
    handler: (request) => desk.note(tenantOf(request), request.params.user, request.body.did),
  });
  app.route({
    method: 'GET',
    url: '/v1/feedback/effects/:user',
    config: { scope: 'recommendations:read' },
    schema: {
      ...about,
      summary: 'What a person’s answers changed: weights, items that are not shown again, the list before and since',
      params,
      response: { 200: effectsResponseSchema, ...errorAnswers },
    },
    handler: (request) => desk.effects(tenantOf(request), request.params.user),
  });
}
