/** Owns the route that stores a payload too large for a job. What is personal is sealed by the caller before it comes here. */
import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { AppError } from '../../../shared/errors.ts';
import type { Store } from '../../../shared/store/ports.ts';
import { claimResponseSchema } from '../../client/responses.ts';
import { tenantOf } from '../authorise.ts';
import { errorAnswers, idSchema } from './answers.ts';

/** base64 of a sealed input of the largest size that a contract allows. */
export const CLAIM_BYTES_MAX = 16 * 1024 * 1024;

export async function registerClaims(plain: FastifyInstance, store: Store): Promise<void> {
  const app = plain.withTypeProvider<ZodTypeProvider>();
  // Bytes are bytes here, whatever type their sender names.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.route({
    method: 'POST',
    url: '/v1/claims',
    bodyLimit: CLAIM_BYTES_MAX,
    config: { scope: 'claims:write' },
    schema: {
      summary: 'Store a payload that is too large for a job',
      description: 'The body is the payload, as it is; `application/octet-stream`.',
      tags: ['jobs'],
      security: [{ key: [] }],
      consumes: ['application/octet-stream'],
      querystring: z.object({
        run: idSchema
          .optional()
          .describe('Run key of the job that will use it. Without it the job must be at work within a day.'),
      }),
      response: { 201: claimResponseSchema, ...errorAnswers },
    },
    handler: async (request, reply) => {
      const bytes = request.body;
      if (!Buffer.isBuffer(bytes) || bytes.length === 0)
        throw new AppError('INPUT_INVALID', {
          message: 'The body of a claim is its payload, and there is none.',
          details: { issues: [{ path: [], message: 'at least one byte' }] },
        });
      const tenant = tenantOf(request);
      const { run } = request.query;
      if (run !== undefined && !run.startsWith(`${tenant}.`))
        throw new AppError('INPUT_INVALID', {
          message: 'The run of a claim is one of the same tenant.',
          details: { issues: [{ path: ['run'], message: `starts with ${tenant}.` }] },
        });
      return reply.code(201).send(await store.claims.put(tenant, bytes, run));
    },
  });
}
