/** Owns the dashboard as one fastify application: security headers, sessions, login, Bull Board, pages, coded errors. */
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import cookie from '@fastify/cookie';
import csrf from '@fastify/csrf-protection';
import formbody from '@fastify/formbody';
import helmet from '@fastify/helmet';
import session from '@fastify/session';
import type { Queue } from 'bullmq';
import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from 'fastify';
import type { Redis } from 'ioredis';
import type { Config } from '../shared/config.ts';
import { sealRing } from '../shared/contract-kit/seal.ts';
import { AppError } from '../shared/errors.ts';
import { TrailDesk } from '../shared/governance/trail-desk.ts';
import { asHttpError, statusOf } from '../shared/http/errors.ts';
import { followCertificate, hstsOf, httpsOf } from '../shared/http/certificate.ts';
import { observeRequests } from '../shared/http/observe.ts';
import { listRoutes } from '../shared/http/route-table.ts';
import { newRequestId, trailRequests } from '../shared/http/trail.ts';
import { Telemetry } from '../shared/telemetry/stream.ts';
import type { Store } from '../shared/store/ports.ts';
import { framesOf } from '../shared/telemetry/fatal.ts';
import { refuseDefaultPassword, registerAuth } from './auth.ts';
import { registerBoards } from './board.ts';
import { loginNeeded, readAccount, wantsPage } from './guards.ts';
import { registerInsights } from './insight-routes.ts';
import { loginAttempts } from './login-attempts.ts';
import { page } from './pages/layout.ts';
import { errorPage } from './pages/login-page.ts';
import { askingOf } from './trail.ts';
import { redisSessions, SESSION_TTL_MS } from './session-store.ts';

const BODY_BYTES_MAX = 1024 * 1024;
const SESSION_COOKIE = 'millrace.session';
const ASSETS = {
  'style.css': 'text/css',
  'refresh.js': 'text/javascript',
  'mark.svg': 'image/svg+xml',
} as const;

export interface DashboardOptions {
  readonly store: Store;
  /** For sessions and login attempts. */
  readonly redis: Redis;
  /** One BullMQ queue a kind. */
  readonly queues: readonly Queue[];
  readonly config: Pick<Config, 'https' | 'prefix' | 'tenant' | 'demo' | 'masterKeys' | 'sealKeys'>;
  readonly now?: () => number;
  readonly log?: FastifyBaseLogger;
  readonly telemetry?: Telemetry;
  /** Writes the audit trail; the caller closes it before the store. Absent: one of the dashboard's own. */
  readonly desk?: TrailDesk;
}

function deskFor(app: FastifyInstance, { store, desk }: DashboardOptions): TrailDesk {
  if (desk !== undefined) return desk;
  const own = new TrailDesk(store.trail);
  app.addHook('onClose', () => own[Symbol.asyncDispose]());
  return own;
}

async function registerSecurity(app: FastifyInstance, { redis, config }: DashboardOptions): Promise<void> {
  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'", "'unsafe-inline'"], // Bull Board sets inline styles
        imgSrc: ["'self'", 'data:'],
        fontSrc: ["'self'", 'data:'],
        connectSrc: ["'self'"],
        formAction: ["'self'"],
        baseUri: ["'self'"],
        frameAncestors: ["'none'"],
      },
    },
    referrerPolicy: { policy: 'same-origin' }, // with none at all, browsers send `Origin: null` with our own forms
    hsts: hstsOf(config.https), // else TLS ends before us, where there is any
  });
  await app.register(formbody, { bodyLimit: BODY_BYTES_MAX });
  await app.register(cookie);
  await app.register(session, {
    // The first one signs, all are taken: who is logged in stays so when the master key is rotated.
    secret: config.masterKeys.map((key) => createHmac('sha256', key).update('dashboard-session').digest('hex')),
    cookieName: SESSION_COOKIE,
    cookie: { httpOnly: true, sameSite: 'strict', secure: false, path: '/', maxAge: SESSION_TTL_MS },
    store: redisSessions(redis, config.prefix),
    saveUninitialized: false,
    rolling: false,
  });
  // A proxy on this machine that ends TLS makes the cookie secure ('auto' would loosen SameSite to Lax without one).
  app.addHook('onRequest', async (request) => {
    if (request.protocol === 'https') request.session.options({ secure: true });
  });
  await app.register(csrf, { sessionPlugin: '@fastify/session' });
}

/** Fixed files of the dashboard's own, read once. */
function registerAssets(app: FastifyInstance): void {
  for (const [name, type] of Object.entries(ASSETS)) {
    const content = readFileSync(new URL(`assets/${name}`, import.meta.url));
    app.get(`/assets/${name}`, (_request, reply) =>
      reply.type(type).header('cache-control', 'public, max-age=300').send(content),
    );
  }
}

/** What the CSRF plugin answers with by itself, as our code. */
function coded(thrown: unknown): AppError {
  if (thrown instanceof Error && 'code' in thrown && String(thrown.code).startsWith('FST_CSRF_'))
    return new AppError('AUTH_CSRF', { cause: thrown });
  return asHttpError(thrown, BODY_BYTES_MAX);
}

function answerError(request: FastifyRequest, reply: FastifyReply, thrown: unknown): FastifyReply {
  const error = coded(thrown);
  request.refusal = error.code;
  if (error.status >= 500)
    request.log.error({ code: error.code, cause: framesOf(error.cause ?? error), route: request.routeOptions.url });
  statusOf(reply, error);
  if (!wantsPage(request)) return reply.send(error.toJSON());
  const account = request.account ?? undefined;
  const token = account === undefined ? undefined : reply.generateCsrf();
  return reply.type('text/html').send(page({ title: error.code, account, csrf: token }, errorPage(error)));
}

/** Builds the dashboard; throws AUTH_DEFAULT_PASSWORD. The caller owns store, Redis and queues. */
export async function buildDashboard(options: DashboardOptions): Promise<FastifyInstance> {
  const { store, redis, queues, config, now = Date.now, log, telemetry = new Telemetry() } = options;
  await refuseDefaultPassword(store.accounts, config.demo);
  const app = Fastify({
    ...httpsOf(config.https),
    ...(log === undefined ? {} : { loggerInstance: log }),
    bodyLimit: BODY_BYTES_MAX,
    trustProxy: 'loopback',
    genReqId: newRequestId,
    logController: new LogController({ disableRequestLogging: true }), // addresses carry ids
  }) as FastifyInstance;
  listRoutes(app);
  followCertificate(app, config.https);
  observeRequests(app, 'dashboard', telemetry);
  app.decorateRequest('account', null);
  app.setErrorHandler((thrown, request, reply) => answerError(request, reply, thrown));
  app.setNotFoundHandler((request, reply) =>
    answerError(request, reply, new AppError('NOT_FOUND', { message: 'There is no such page.' })),
  );
  await registerSecurity(app, options);
  registerAssets(app);
  app.get('/healthz', async () => ({ ok: true }));
  trailRequests(app, { people: store.people, desk: deskFor(app, options), now, asking: askingOf(config.tenant) });
  await app.register(async (scope) => {
    scope.addHook('onRequest', async (request) => readAccount(request, store.accounts));
    await scope.register((auth) => registerAuth(auth, store.accounts, loginAttempts(redis, config.prefix)));
    await scope.register(async (boards) => {
      boards.addHook('onRequest', loginNeeded);
      await registerBoards(boards, queues);
    });
    await scope.register((pages) =>
      registerInsights(
        pages,
        { store, queues, redis, prefix: config.prefix, tenant: config.tenant, now },
        sealRing(config.sealKeys),
      ),
    );
  });
  return app;
}
