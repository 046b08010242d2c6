/** Owns the pages of the project's own: overview, runs, pipelines, releases. All behind the login. */
import type { Queue } from 'bullmq';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { jobIdOf, pipelineCancelName, rerunId } from '../shared/contract-kit/names.ts';
import { JOB_CLASS, permitKind } from '../jobs/gateway/job-classes.ts';
import type { JobKind } from '../jobs/registry.ts';
import { markCancelled } from '../jobs/client/cancel-mark.ts';
import { AppError } from '../shared/errors.ts';
import type { RunDocument, Store } from '../shared/store/ports.ts';
import { mayRun, type Permission } from '../shared/governance/roles.ts';
import type { SealRing } from '../shared/contract-kit/seal.ts';
import { BOARD_PATH, READ_ONLY_BOARD_PATH } from './board.ts';
import { guardsOf } from './auth.ts';
import { registerDeadLetters } from './dead-letter-routes.ts';
import { accountOf, hasPermission, loginNeeded, permissionNeeded } from './guards.ts';
import type { Markup } from './html.ts';
import { readPublished } from './overview/published.ts';
import { readPipelineRun, registerReleaseChanges, registerReruns } from './operator-routes.ts';
import { registerModels } from './model-routes.ts';
import { registerSources } from './source-routes.ts';
import { registerTrailPage } from './trail-routes.ts';
import { type OverviewSources, readOverview } from './overview/read.ts';
import { type Frame, page } from './pages/layout.ts';
import { overviewPage } from './pages/overview-page.ts';
import { pipelinePage } from './pages/pipeline-page.ts';
import { releasePage } from './pages/release-page.ts';
import { type RunDetails, type RunInput, type RunJob, runPage } from './pages/run-page.ts';

const REFRESH_SECONDS = 5;
const RELEASES_SHOWN = 20;
const LOG_LINES_MAX = 200;

const boardOf = (request: FastifyRequest): string =>
  hasPermission(request, 'queues:write') ? BOARD_PATH : READ_ONLY_BOARD_PATH;

/** The token for forms that change something; undefined for those who may only look. */
const mayChange = (
  request: FastifyRequest,
  reply: FastifyReply,
  permission: Permission,
  kind?: string,
): string | undefined => {
  const isOfRole = kind === undefined || mayRun(accountOf(request), JOB_CLASS[kind as JobKind]);
  return isOfRole && hasPermission(request, permission) ? reply.generateCsrf() : undefined;
};

/** What may be done to a run: what is at work is cancelled, what has ended without an effect is given back. */
const changeOf = ({ state }: RunDocument): Permission => (state === 'running' ? 'jobs:write' : 'jobs:redrive');

/** The job of a run as BullMQ has it; undefined when it is gone or Redis does not answer: the page stands without it. */
async function readJob(queues: readonly Queue[], run: RunDocument): Promise<RunJob | undefined> {
  const queue = queues.find(({ name }) => name === run.kind);
  const id = jobIdOf(run.runKey);
  try {
    const job = await queue?.getJob(id);
    if (queue === undefined || job === undefined) return undefined;
    const { logs } = await queue.getJobLogs(id, 0, LOG_LINES_MAX - 1);
    return { attempts: job.attemptsMade, attemptsMax: job.opts.attempts ?? 1, progress: job.progress, logs };
  } catch {
    return undefined;
  }
}

async function readInput(store: Store, tenant: string, version: string): Promise<RunInput> {
  try {
    const { runKey, kind } = await store.versions.read(tenant, version);
    return { version, runKey, kind };
  } catch {
    return { version };
  }
}

async function readRun({ store, queues, tenant }: OverviewSources, runKey: string): Promise<RunDetails> {
  const run = await store.ledger.read(runKey);
  if (run === undefined || run.tenant !== tenant)
    throw new AppError('NOT_FOUND', { message: 'There is no such run.', details: { runKey } });
  const [job, inputs] = await Promise.all([
    readJob(queues, run),
    Promise.all((run.lineage?.inputs ?? []).map((version) => readInput(store, tenant, version))),
  ]);
  return { run, job, inputs };
}

/** What operators may do to runs. What has ended stays as it is, so a late click changes nothing. */
function registerCancels(app: FastifyInstance, sources: OverviewSources): void {
  const { redis, prefix } = sources;
  const guards = guardsOf(app, 'jobs:write');

  app.post<{ Params: { runKey: string } }>('/runs/:runKey/cancel', guards, async (request, reply) => {
    const { run } = await readRun(sources, request.params.runKey);
    permitKind(accountOf(request), run.kind);
    if (run.state === 'running') await markCancelled(redis, prefix, run.runKey);
    return reply.redirect(`/runs/${encodeURIComponent(run.runKey)}`, 303);
  });

  app.post<{ Params: { id: string } }>('/pipelines/:id/cancel', guards, async (request, reply) => {
    permitKind(accountOf(request), 'pipeline');
    const run = await readPipelineRun(sources, request.params.id);
    if (run.state === 'running') await markCancelled(redis, prefix, pipelineCancelName(run.id));
    return reply.redirect(`/pipelines/${encodeURIComponent(run.id)}`, 303);
  });
}

export async function registerInsights(app: FastifyInstance, sources: OverviewSources, ring: SealRing): Promise<void> {
  const { store, tenant, now } = sources;
  app.addHook('onRequest', loginNeeded);
  app.addHook('onRequest', permissionNeeded);

  const show = (request: FastifyRequest, reply: FastifyReply, frame: Frame, main: Markup): FastifyReply => {
    const csrf = reply.generateCsrf();
    return reply
      .type('text/html')
      .header('cache-control', 'no-store')
      .send(page({ ...frame, account: request.account ?? undefined, csrf, tenant }, main));
  };

  registerCancels(app, sources);
  registerReleaseChanges(app, sources);
  registerReruns(app, sources);
  registerDeadLetters(app, { sources, ring, show, mayChange });

  registerModels(app, sources, show);
  registerSources(app, sources, show);
  registerTrailPage(app, sources, show);

  const looking = { config: { permission: 'jobs:read' } } as const;
  app.get('/', looking, async (request, reply) => {
    const overview = await readOverview(sources);
    const frame = { title: 'Overview', here: 'overview', refreshSeconds: REFRESH_SECONDS } as const;
    return show(request, reply, frame, overviewPage(overview, boardOf(request)));
  });

  app.get<{ Params: { runKey: string } }>('/runs/:runKey', looking, async (request, reply) => {
    const details = await readRun(sources, request.params.runKey);
    const running = details.run.state === 'running' ? { refreshSeconds: REFRESH_SECONDS } : {};
    return show(
      request,
      reply,
      { title: details.run.kind, ...running },
      runPage(details, boardOf(request), now(), mayChange(request, reply, changeOf(details.run), details.run.kind)),
    );
  });

  app.get<{ Params: { id: string } }>('/pipelines/:id', looking, async (request, reply) => {
    const run = await readPipelineRun(sources, request.params.id);
    const running = run.state === 'running' ? { refreshSeconds: REFRESH_SECONDS } : {};
    const rerun = await store.pipelineRuns.read(rerunId(tenant, run.pipeline, run.id));
    return show(
      request,
      reply,
      { title: run.pipeline, ...running },
      pipelinePage(run, rerun?.id, now(), mayChange(request, reply, 'jobs:write', 'pipeline')),
    );
  });

  app.get('/release', { config: { permission: 'releases:read' } }, async (request, reply) => {
    const [release, pointer, releases] = await Promise.all([
      store.releases.live(tenant),
      store.releases.pointer(tenant),
      store.releases.history(tenant, RELEASES_SHOWN),
    ]);
    if (release === undefined) throw new AppError('NOT_PUBLISHED');
    const published = await readPublished(store, release, pointer);
    const page = releasePage(published, releases, now(), mayChange(request, reply, 'releases:write'));
    return show(request, reply, { title: 'Release', here: 'release' }, page);
  });
}
