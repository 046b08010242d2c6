/** Owns the routes for pipeline runs: start one or a backfill, look at one, end one, run one again. */
import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { AppError } from '../../../shared/errors.ts';
import type { Store } from '../../../shared/store/ports.ts';
import { type PipelineDocument, pipelineDocumentSchema, type StartedPipeline } from '../../client/pipelines-client.ts';
import { backfillSchema } from '../../backfill.ts';
import { PIPELINE_NAMES, type PipelineName, pipelineOf } from '../../pipelines.ts';
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
      config: { scope: 'jobs:write', kind: 'pipeline' },
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
        return reply.code(202).send(await answerOf(started, request.query.wait));
      },
    });
  for (const name of PIPELINE_NAMES) registerBackfill(plain, tenants, name);
  app.route({
    method: 'POST',
    url: '/v1/pipelines/:name',
    config: { scope: 'jobs:write', kind: 'pipeline' },
    schema: { hide: true, params: z.object({ name: z.string().max(100) }) },
    handler: async (request) => {
      throw new AppError('PIPELINE_UNKNOWN', {
        message: `There is no pipeline "${request.params.name}".`,
        details: { name: request.params.name, known: PIPELINE_NAMES },
      });
    },
  });
  registerRerun(plain, store, tenants);
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
    config: { scope: 'jobs:write', kind: 'pipeline' },
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

const dayOrMoment = z
  .union([z.iso.datetime(), z.iso.date()])
  .describe('A day (its first moment, UTC) or a moment, as ISO 8601.');

function registerBackfill(plain: FastifyInstance, tenants: Tenants, name: PipelineName): void {
  plain.withTypeProvider<ZodTypeProvider>().route({
    method: 'POST',
    url: `/v1/pipelines/${name}/backfill`,
    config: { scope: 'jobs:write', kind: 'pipeline' },
    schema: {
      tags: ['pipelines'],
      security: [{ key: [] }],
      summary: `A run of ${name} for each moment of a span`,
      querystring: waitQuerySchema,
      body: z.strictObject({
        from: dayOrMoment,
        to: dayOrMoment,
        every: backfillSchema.shape.every,
        parallel: backfillSchema.shape.parallel,
        params: pipelineOf(name).params.optional(),
        key: keySchema.optional(),
      }),
      response: { 202: startAnswerSchema, ...errorAnswers },
    },
    handler: async (request, reply) => {
      const { from, to, key, params = {}, ...rest } = request.body;
      const pipeline = tenants.get(tenantOf(request)).client.pipelines[name];
      const span = { ...rest, params, from: Date.parse(from), to: Date.parse(to) };
      const started = await pipeline.backfill(span, key === undefined ? {} : { key });
      return reply.code(202).send(await answerOf(started, request.query.wait));
    },
  });
}

function registerRerun(plain: FastifyInstance, store: Store, tenants: Tenants): void {
  plain.withTypeProvider<ZodTypeProvider>().route({
    method: 'POST',
    url: '/v1/pipelines/runs/:id/rerun',
    config: { scope: 'jobs:write', kind: 'pipeline' },
    schema: {
      tags: ['pipelines'],
      security: [{ key: [] }],
      summary: 'Run an ended pipeline run again: what has finished is kept',
      params: z.object({ id: idSchema }),
      querystring: waitQuerySchema,
      body: z.strictObject({ from: z.string().min(1).max(300).optional() }).nullish(),
      response: { 202: startAnswerSchema, ...errorAnswers },
    },
    handler: async (request, reply) => {
      const tenant = tenantOf(request);
      const { id } = await readRun(store, tenants, tenant, request.params.id);
      const { from } = request.body ?? {};
      const run = tenants.get(tenant).client.pipelines.refresh.run(id);
      const started = await run.rerun(from === undefined ? {} : { from });
      return reply.code(202).send(await answerOf(started, request.query.wait));
    },
  });
}

async function answerOf(started: StartedPipeline, waitMs: number): Promise<z.output<typeof startAnswerSchema>> {
  const { id, runKey } = started.start;
  const run = waitMs === 0 ? undefined : await runOf(started, waitMs);
  return { id, runKey, ...(run === undefined ? {} : { run }) };
}

/** The id of the run if it exists within the wait. */
async function runOf(started: StartedPipeline, timeoutMs: number): Promise<string | undefined> {
  try {
    return (await started.run({ timeoutMs })).id;
  } catch (thrown) {
    if (thrown instanceof AppError && thrown.code === 'WAIT_TIMEOUT') return undefined;
    throw thrown;
  }
}
