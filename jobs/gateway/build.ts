/** Owns the gateway as one fastify application: routes, documentation, security headers, coded errors. */
import helmet from '@fastify/helmet';
import rateLimit from '@fastify/rate-limit';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from 'fastify';
import { jsonSchemaTransform, serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { type Clock, systemClock } from '../../shared/clock.ts';
import type { Config } from '../../shared/config.ts';
import { sealRing } from '../../shared/contract-kit/seal.ts';
import { AppError } from '../../shared/errors.ts';
import { TrailDesk } from '../../shared/governance/trail-desk.ts';
import { asHttpError, statusOf } from '../../shared/http/errors.ts';
import { followCertificate, hstsOf, httpsOf } from '../../shared/http/certificate.ts';
import { observeRequests, traceOfRequest } from '../../shared/http/observe.ts';
import { listRoutes } from '../../shared/http/route-table.ts';
import { newRequestId, trailRequests } from '../../shared/http/trail.ts';
import { Telemetry } from '../../shared/telemetry/stream.ts';
import type { Store } from '../../shared/store/ports.ts';
import { framesOf } from '../../shared/telemetry/fatal.ts';
import { entryOfJob } from '../client/outbox.ts';
import { type EnqueueJournal, RedisTransport } from '../client/redis-transport.ts';
import type { Transport } from '../client/transport.ts';
import { registerAuthorisation } from './authorise.ts';
import { StoreDesk } from './dead-letter-desk.ts';
import { openDoorForPeople } from './me.ts';
import { QueueSet } from './queue-set.ts';
import { recommender } from './recommend.ts';
import { registerBudget } from './routes/budget.ts';
import { registerClaims } from './routes/claims.ts';
import { registerConsents } from './routes/consents.ts';
import { registerDeadLetters } from './routes/dead-letters.ts';
import { registerFeedback } from './routes/feedback.ts';
import { registerIdentities } from './routes/identities.ts';
import { Jobs, registerJobs } from './routes/jobs.ts';
import { registerLineage } from './routes/lineage.ts';
import { registerMobile } from './routes/mobile.ts';
import { registerPeople } from './routes/people.ts';
import { registerPersonTokens } from './routes/person-tokens.ts';
import { registerPipelines } from './routes/pipelines.ts';
import { registerPixel } from './routes/pixel.ts';
import { registerPrompts } from './routes/prompts.ts';
import { registerReads } from './routes/reads.ts';
import { registerRecords } from './routes/records.ts';
import { registerSocial } from './routes/social.ts';
import { registerReleases } from './routes/releases.ts';
import { registerSums } from './routes/sums.ts';
import { registerTrailRoute } from './routes/trail.ts';
import { registerWebhooks } from './routes/webhooks.ts';
import { Tenants } from './tenants.ts';
import { asking } from './trail.ts';

const BODY_BYTES_MAX = 64 * 1024;
const REQUESTS_PER_MINUTE_MAX = 30_000;
/** Keys and addresses whose rate is remembered. */
const RATES_REMEMBERED_MAX = 10_000;

export interface GatewayOptions {
  readonly store: Store;
  readonly config: Pick<Config, 'redisUrl' | 'redisTls' | 'https' | 'prefix' | 'sealKeys' | 'webhookPrivate'>;
  readonly clock?: Clock;
  /** Carries the jobs of one tenant; absent: Redis. */
  readonly makeTransport?: (tenant: string) => Transport;
  /** Requests that one key may send in a minute to this process. */
  readonly requestsPerMinuteMax?: number;
  readonly log?: FastifyBaseLogger;
  readonly telemetry?: Telemetry;
  /** Writes the audit trail; the caller closes it before the store. Absent: one of the gateway's own. */
  readonly desk?: TrailDesk;
}

function deskFor(app: FastifyInstance, { store, desk }: GatewayOptions): TrailDesk {
  if (desk !== undefined) return desk;
  const own = new TrailDesk(store.trail);
  app.addHook('onClose', () => own[Symbol.asyncDispose]());
  return own;
}

async function registerDocumentation(app: FastifyInstance): Promise<void> {
  await app.register(swagger, {
    openapi: {
      info: {
        title: 'Millrace gateway',
        version: '1',
        description:
          'Events in, jobs, recommendations out. Every error is `{ code, message, details }`; see docs/errors.md.',
      },
      components: {
        securitySchemes: {
          key: { type: 'http', scheme: 'bearer' },
          person: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
        },
      },
      tags: [
        { name: 'records', description: 'What comes in' },
        { name: 'pixel', description: 'What web pages and apps talk to' },
        { name: 'jobs', description: 'What is asked for' },
        { name: 'dead letters', description: 'What ended without an effect' },
        { name: 'pipelines', description: 'Several jobs as one run' },
        { name: 'published', description: 'What is served' },
        { name: 'lineage', description: 'What was told of runs' },
        { name: 'people', description: 'What people ask of their data' },
        { name: 'sums', description: 'One party of secure sums' },
        { name: 'webhooks', description: 'Who is told of ended runs' },
      ],
    },
    transform: jsonSchemaTransform,
  });
  await app.register(swaggerUi, { routePrefix: '/docs' });
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger());
}

/** Route and code only: addresses carry people's ids, bodies their data. */
function answerError(request: FastifyRequest, reply: FastifyReply, thrown: unknown): FastifyReply {
  const error = asHttpError(thrown, request.routeOptions.bodyLimit);
  request.refusal = error.code;
  if (error.status >= 500)
    request.log.error(
      { code: error.code, cause: framesOf(error.cause), route: request.routeOptions.url },
      'a request failed',
    );
  return statusOf(reply, error).type('application/json').serializer(JSON.stringify).send(error.toJSON());
}

const healthSchema = z.object({ ok: z.boolean(), store: z.string(), storeMs: z.number() });

function registerHealth(app: FastifyInstance, store: Store): void {
  app.get(
    '/v1/healthz',
    { schema: { tags: ['published'], summary: 'Whether the gateway can serve', response: { 200: healthSchema } } },
    async () => {
      const { server, ms } = await store.ping();
      return { ok: true, store: server, storeMs: ms };
    },
  );
}

/** What the gateway has taken in outlives Redis: it is written down first, and relayed until its run has ended. */
function journalOf({ journal }: Store, now: () => number): EnqueueJournal {
  return {
    write: async (jobs) => {
      const entries = jobs.map((job) => ({ runKey: job.data.runKey, entry: entryOfJob(job, now()) }));
      await journal.write(entries);
      return () => journal.forget(entries);
    },
  };
}

/** Builds the gateway. It owns its clients; the store stays the caller's. */
export async function buildGateway(options: GatewayOptions): Promise<FastifyInstance> {
  const { store, config, clock = systemClock, requestsPerMinuteMax = REQUESTS_PER_MINUTE_MAX, log } = options;
  const { telemetry = new Telemetry() } = options;
  const now = (): number => clock.now();
  const { redisUrl: url, redisTls: tls, prefix } = config;
  const makeTransport =
    options.makeTransport ??
    ((tenant) => new RedisTransport({ url, tls, prefix, tenant, journal: journalOf(store, now) }));
  const ring = sealRing(config.sealKeys);
  const tenants = new Tenants({
    store,
    ring,
    makeTransport,
    now,
    trace: traceOfRequest(telemetry),
    enqueued: (jobs) => {
      for (const { name: kind, opts, data } of jobs)
        telemetry.emit('job.enqueued', { kind, jobId: opts.jobId, runKey: data.runKey, by: 'gateway' });
    },
  });

  const app = Fastify({
    ...httpsOf(config.https),
    ...(log === undefined ? {} : { loggerInstance: log }),
    bodyLimit: BODY_BYTES_MAX,
    genReqId: newRequestId,
    logController: new LogController({ disableRequestLogging: true }), // addresses carry ids of people
    routerOptions: { maxParamLength: 1_000 },
  }) as FastifyInstance;
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler((thrown, request, reply) => answerError(request, reply, thrown));
  app.setNotFoundHandler((request, reply) =>
    answerError(request, reply, new AppError('NOT_FOUND', { message: 'There is no such route; see /docs.' })),
  );
  followCertificate(app, config.https);
  listRoutes(app);
  observeRequests(app, 'gateway', telemetry);
  app.addHook('onClose', () => tenants.close());
  await app.register(helmet, {
    hsts: hstsOf(config.https),
    contentSecurityPolicy: { directives: { upgradeInsecureRequests: null } },
  });
  await app.register(rateLimit, { global: false, cache: RATES_REMEMBERED_MAX });
  await registerDocumentation(app);
  trailRequests(app, { people: store.people, desk: deskFor(app, options), now, asking });
  openDoorForPeople(app, store.personTokens);
  registerAuthorisation(app, { keys: store.apiKeys, tokens: store.personTokens, now, requestsPerMinuteMax });
  registerHealth(app, store);
  registerRecords(app, tenants);
  registerFeedback(app, tenants);
  await app.register(async (scope) => registerPixel(scope, store, tenants, now));
  registerMobile(app, store, tenants, now);
  await app.register(async (scope) => registerSocial(scope, tenants, now));
  await app.register((scope) => registerClaims(scope, store));
  registerJobs(app, new Jobs(store, tenants));
  registerPipelines(app, store, tenants);
  const queues = new QueueSet(config);
  app.addHook('onClose', () => queues[Symbol.asyncDispose]());
  registerDeadLetters(app, (tenant) => new StoreDesk({ store, queueOf: queues.get, ring, tenant, now }));
  registerReleases(app, store);
  registerReads(app, recommender(store, now));
  registerPrompts(app, store, now);
  registerPeople(app, store, tenants);
  registerPersonTokens(app, store);
  registerConsents(app, store, tenants, now);
  registerIdentities(app, store, now);
  registerSums(app, store, now);
  registerBudget(app, store, now);
  registerLineage(app, store);
  registerTrailRoute(app, store);
  registerWebhooks(app, store, config.webhookPrivate);
  return app;
}
