/** Owns the routes for pipeline runs: start one, look at one, end one. */
import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { AppError } from '../../../shared/errors.ts';
import type { Store } from '../../../shared/store/ports.ts';
import { type PipelineDocument, pipelineDocumentSchema } from '../../client/pipelines-client.ts';
import { PIPELINE_NAMES, pipelineOf } from '../../pipelines.ts';
import { tenantOf } from '../authorise.ts';
import type { Tenants } from '../tenants.ts';
import { enqueuedSchema, errorAnswers, idSchema, keySchema, waitQuerySchema } from './answers.ts';

/** Reads a run: its mirror, which has progress, or the store's document of a run that ended long ago. Throws NOT_FOUND. */
async function readRun(store: Store, tenants: Tenants, tenant: string, id: string): Promise<PipelineDocument> {
  const mirror = await tenants.get(tenant).client.pipelines.refresh.run(id).document();
  if (mirror !== undefined) return mirror;
  const stored = await store.pipelineRuns.read(id);
  if (stored === undefined || stored.tenant !== tenant)
    throw new AppError('NOT_FOUND', { message: `There is no pipeline run ${id}.`, details: { id } });
  return pipelineDocumentSchema.parse(stored);
}

const startAnswerSchema = enqueuedSchema.extend({
  /** The run, once a worker has started it; ask for it with GET /v1/pipelines/runs/:run. */
  run: z.string().optional(),
});

export function registerPipelines(plain: FastifyInstance, store: Store, tenants: Tenants): void {
  const app = plain.withTypeProvider<ZodTypeProvider>();
  const about = { tags: ['pipelines'], security: [{ key: [] }] };
  for (const name of PIPELINE_NAMES)
    app.route({
      method: 'POST',
      url: `/v1/pipelines/${name}`,
      config: { scope: 'jobs:write' },
      schema: {
        ...about,
        summary: pipelineOf(name).title,
        querystring: waitQuerySchema,
        body: z.strictObject({ params: pipelineOf(name).params.optional(), key: keySchema.optional() }).nullish(),
        response: { 202: startAnswerSchema, ...errorAnswers },
      },
      handler: async (request, reply) => {
        const { params = {}, key } = request.body ?? {};
        const pipeline = tenants.get(tenantOf(request)).client.pipelines[name];
        const started = await pipeline.start(params, key === undefined ? {} : { key });
        const { id, runKey } = started.start;
        const run = request.query.wait === 0 ? undefined : await runOf(started, request.query.wait);
        return reply.code(202).send({ id, runKey, ...(run === undefined ? {} : { run }) });
      },
    });
  app.route({
    method: 'POST',
    url: '/v1/pipelines/:name',
    config: { scope: 'jobs:write' },
    schema: { hide: true, params: z.object({ name: z.string().max(100) }) },
    handler: async (request) => {
      throw new AppError('PIPELINE_UNKNOWN', {
        message: `There is no pipeline "${request.params.name}".`,
        details: { name: request.params.name, known: PIPELINE_NAMES },
      });
    },
  });
  app.route({
    method: 'GET',
    url: '/v1/pipelines/runs/:id',
    config: { scope: 'jobs:read' },
    schema: {
      ...about,
      summary: 'State of a pipeline run and of its steps',
      params: z.object({ id: idSchema }),
      response: { 200: pipelineDocumentSchema, ...errorAnswers },
    },
    handler: (request) => readRun(store, tenants, tenantOf(request), request.params.id),
  });
  app.route({
    method: 'DELETE',
    url: '/v1/pipelines/runs/:id',
    config: { scope: 'jobs:write' },
    schema: {
      ...about,
      summary: 'Ask for a pipeline run to end',
      params: z.object({ id: idSchema }),
      response: { 202: z.object({ id: z.string() }), ...errorAnswers },
    },
    handler: async (request, reply) => {
      const tenant = tenantOf(request);
      const { id } = await readRun(store, tenants, tenant, request.params.id);
      await tenants.get(tenant).client.pipelines.refresh.run(id).cancel();
      return reply.code(202).send({ id });
    },
  });
}

/** The id of the run if it exists within the wait. */
async function runOf(
  started: { run(options: { timeoutMs: number }): Promise<{ id: string }> },
  timeoutMs: number,
): Promise<string | undefined> {
  try {
    return (await started.run({ timeoutMs })).id;
  } catch (thrown) {
    if (thrown instanceof AppError && thrown.code === 'WAIT_TIMEOUT') return undefined;
    throw thrown;
  }
}
