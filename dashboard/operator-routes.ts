/** Owns what operators do to releases and to ended pipeline runs. Every form names what is to be, so a second click changes nothing. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { AdmittingQueue } from '../jobs/client/admitting-queue.ts';
import { makeJob } from '../jobs/client/make-job.ts';
import { rerunKey } from '../jobs/client/pipelines-client.ts';
import { pipeline } from '../jobs/pipeline/contract.ts';
import { permitKind } from '../jobs/gateway/job-classes.ts';
import { AppError } from '../shared/errors.ts';
import type { PipelineRunDocument } from '../shared/store/ports.ts';
import { hold, type Operator, rollBack, unhold } from '../shared/store/release-pointer.ts';
import { guardsOf } from './auth.ts';
import { accountOf } from './guards.ts';
import type { OverviewSources } from './overview/read.ts';

export async function readPipelineRun({ store, tenant }: OverviewSources, id: string): Promise<PipelineRunDocument> {
  const run = await store.pipelineRuns.read(id);
  if (run !== undefined && run.tenant === tenant) return run;
  throw new AppError('NOT_FOUND', { message: 'There is no such pipeline run.', details: { id } });
}

export function registerReleaseChanges(app: FastifyInstance, { store, tenant }: OverviewSources): void {
  const guards = guardsOf(app, 'releases:write');
  const by = (request: FastifyRequest): Operator => ({ by: request.account?.user ?? '' });

  app.post<{ Params: { version: string } }>('/release/:version/rollback', guards, async (request, reply) => {
    await rollBack(store, tenant, by(request), request.params.version);
    return reply.redirect('/release', 303);
  });
  app.post('/release/hold', guards, async (request, reply) => {
    await hold(store, tenant, by(request));
    return reply.redirect('/release', 303);
  });
  app.post('/release/unhold', guards, async (request, reply) => {
    await unhold(store, tenant, by(request));
    return reply.redirect('/release', 303);
  });
}

/** Under the client's key: whoever asks, and however often, it is one job. */
export function registerReruns(app: FastifyInstance, sources: OverviewSources): void {
  const { redis, prefix, tenant, now } = sources;
  app.post<{ Params: { id: string } }>('/pipelines/:id/rerun', guardsOf(app, 'jobs:write'), async (request, reply) => {
    permitKind(accountOf(request), pipeline.kind);
    const run = await readPipelineRun(sources, request.params.id);
    if (run.state === 'failed' || run.state === 'cancelled') {
      const made = makeJob(pipeline, { rerun: { run: run.id } }, { tenant, key: rerunKey(run.id), asOf: now() });
      if (!made.fits) throw new AppError('INPUT_TOO_LARGE', { details: { run: run.id } });
      const queue = new AdmittingQueue(pipeline.kind, redis, prefix);
      try {
        await queue.add([made.job]);
      } finally {
        await queue.close();
      }
    }
    return reply.redirect(`/pipelines/${encodeURIComponent(run.id)}`, 303);
  });
}
