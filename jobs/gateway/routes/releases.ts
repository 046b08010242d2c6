/** Owns the routes for releases: what was published, what is live, and putting another one live or on hold. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { AppError } from '../../../shared/errors.ts';
import type { Store } from '../../../shared/store/ports.ts';
import { hold, type Operator, promote, rollBack, unhold } from '../../../shared/store/release-pointer.ts';
import { releasePointerSchema, releaseSchema, releasesResponseSchema } from '../../client/responses.ts';
import { tenantOf } from '../authorise.ts';
import { errorAnswers } from './answers.ts';

const LISTED_MAX = 100;
const LISTED_DEFAULT = 20;

const versionSchema = z.string().min(1).max(100);
const reason = z.string().max(500).optional().describe('Kept with the change.');

const operatorOf = ({ apiKey }: FastifyRequest, why: string | undefined): Operator => ({
  by: `key ${apiKey?.id ?? ''}`,
  ...(why === undefined ? {} : { reason: why }),
});

export function registerReleases(plain: FastifyInstance, store: Store): void {
  const app = plain.withTypeProvider<ZodTypeProvider>();
  const about = { tags: ['published'], security: [{ key: [] }] };
  app.route({
    method: 'GET',
    url: '/v1/releases',
    config: { scope: 'releases:read' },
    schema: {
      ...about,
      summary: 'What was published, newest first, and what is live',
      querystring: z.object({ limit: z.coerce.number().int().min(1).max(LISTED_MAX).default(LISTED_DEFAULT) }),
      response: { 200: releasesResponseSchema, ...errorAnswers },
    },
    handler: async (request) => {
      const tenant = tenantOf(request);
      const [pointer, releases] = await Promise.all([
        store.releases.pointer(tenant),
        store.releases.history(tenant, request.query.limit),
      ]);
      return pointer === undefined ? { releases } : { pointer, releases };
    },
  });
  app.route({
    method: 'GET',
    url: '/v1/releases/:version',
    config: { scope: 'releases:read' },
    schema: {
      ...about,
      summary: 'The parts of one release',
      params: z.object({ version: versionSchema }),
      response: { 200: releaseSchema, ...errorAnswers },
    },
    handler: async (request) => {
      const { version } = request.params;
      const release = await store.releases.read(tenantOf(request), version);
      if (release !== undefined) return release;
      throw new AppError('NOT_FOUND', { message: `There is no release ${version}.`, details: { version } });
    },
  });
  registerChanges(plain, store);
}

/** Asking for the same twice changes nothing the second time: every change names what is to be live. */
function registerChanges(plain: FastifyInstance, store: Store): void {
  const app = plain.withTypeProvider<ZodTypeProvider>();
  const config = { scope: 'releases:write' } as const;
  const schema = { tags: ['published'], security: [{ key: [] }] };
  const response = { 200: releasePointerSchema, ...errorAnswers };
  const body = z.strictObject({ version: versionSchema, reason });
  app.route({
    method: 'POST',
    url: '/v1/releases/rollback',
    config,
    schema: { ...schema, summary: 'Put an earlier release live, and hold it there', body, response },
    handler: (request) =>
      rollBack(store, tenantOf(request), operatorOf(request, request.body.reason), request.body.version),
  });
  app.route({
    method: 'POST',
    url: '/v1/releases/promote',
    config,
    schema: { ...schema, summary: 'Put a newer release live, and let go of a hold', body, response },
    handler: (request) =>
      promote(store, tenantOf(request), operatorOf(request, request.body.reason), request.body.version),
  });
  app.route({
    method: 'POST',
    url: '/v1/releases/hold',
    config,
    schema: {
      ...schema,
      summary: 'Nothing that is published goes live',
      body: z.strictObject({ reason }).nullish(),
      response,
    },
    handler: (request) => hold(store, tenantOf(request), operatorOf(request, request.body?.reason)),
  });
  app.route({
    method: 'DELETE',
    url: '/v1/releases/hold',
    config,
    schema: { ...schema, summary: 'What is published next goes live again', response },
    handler: (request) => unhold(store, tenantOf(request), operatorOf(request, undefined)),
  });
}
