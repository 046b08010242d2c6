/**
 * Owns Bull Board behind our login: one board for those who may change, one read-only board for all others.
 * It has no authentication, no CSRF guard and no audit of its own; the guards of the dashboard stand before it.
 */
import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { FastifyAdapter } from '@bull-board/fastify';
import type { HTTPStatus } from '@bull-board/api/typings/app';
import type { Queue } from 'bullmq';
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import { JOB_CLASS } from '../jobs/gateway/job-classes.ts';
import { contractOf, type JobKind } from '../jobs/registry.ts';
import { asHttpError } from '../shared/http/errors.ts';
import { hasPermission, isSafe, permissionNeeded, sameOriginOnly } from './guards.ts';

export const BOARD_PATH = '/queues';
export const READ_ONLY_BOARD_PATH = '/queues-read-only';

/** Boxes of ciphertext say nothing to a reader: show their size. */
export function withoutCiphertext(data: unknown): unknown {
  if (typeof data !== 'object' || data === null || !('sealed' in data)) return data;
  const { sealed } = data;
  const box = typeof sealed === 'object' && sealed !== null && 'box' in sealed ? sealed.box : undefined;
  return typeof box === 'string' ? { ...data, sealed: `${box.length} characters of ciphertext` } : data;
}

function makeBoard(queues: readonly Queue[], path: string, readOnly: boolean): FastifyAdapter {
  const serverAdapter = new FastifyAdapter();
  serverAdapter.setBasePath(path);
  createBullBoard({
    queues: queues.map((queue) => {
      // What people asked of their data is given back to work by privacy officers, on the page of dead letters.
      const isFixed = readOnly || JOB_CLASS[queue.name as JobKind] === 'people';
      const adapter = new BullMQAdapter(queue, {
        readOnlyMode: isFixed,
        allowRetries: !isFixed,
        description: contractOf(queue.name).title,
      });
      adapter.setFormatter('data', withoutCiphertext);
      return adapter;
    }),
    serverAdapter,
    options: {
      uiConfig: {
        boardTitle: 'Millrace queues',
        boardLogo: { path: '/assets/mark.svg', width: 26, height: 26 },
        hideDocsLink: true,
        miscLinks: [{ text: 'Overview', url: '/' }],
        favIcon: { default: '/assets/mark.svg', alternative: '/assets/mark.svg' },
        locale: { lng: 'en' },
      },
    },
  });
  serverAdapter.setErrorHandler((thrown) => {
    const error = asHttpError(thrown);
    const { code, message, retry } = error.toJSON();
    // Its page shows `message`; its own codes are keys of translations, so ours stand beside them.
    const body = { error: { key: 'ERRORS.INTERNAL_SERVER_ERROR' as const }, message, code, retry };
    return { status: error.status as HTTPStatus, body };
  });
  return serverAdapter;
}

/** Bull Board's page asks another host for fonts; ours asks nobody. */
const FONTS = /<link[^>]+fonts\.googleapis\.com[^>]*>/g;
async function withoutForeignFonts(_request: FastifyRequest, reply: FastifyReply, payload: unknown): Promise<unknown> {
  const isPage = String(reply.getHeader('content-type')).startsWith('text/html');
  return isPage && typeof payload === 'string' ? payload.replace(FONTS, '') : payload;
}

/** Whoever may only look is led to the board on which nothing can be pressed. */
async function lookersElsewhere(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> {
  if (hasPermission(request, 'queues:write') || !isSafe(request)) return undefined;
  return reply.redirect(READ_ONLY_BOARD_PATH + request.url.slice(BOARD_PATH.length), 303);
}

/** Bull Board brings its own routes. */
function needPermission(route: RouteOptions): void {
  const isChange = [route.method].flat().some((method) => !['GET', 'HEAD'].includes(method));
  route.config = { ...route.config, permission: isChange ? 'queues:write' : 'jobs:read' };
}

/** Registers both boards; the login guard of the caller runs before. */
export async function registerBoards(app: FastifyInstance, queues: readonly Queue[]): Promise<void> {
  await app.register(async (scope) => {
    scope.addHook('onRequest', async (request) => sameOriginOnly(request));
    scope.addHook('onRoute', needPermission);
    scope.addHook('onRequest', permissionNeeded);
    scope.addHook('onSend', withoutForeignFonts);
    scope.addHook('onRequest', lookersElsewhere);
    await scope.register(makeBoard(queues, BOARD_PATH, false).registerPlugin(), { prefix: BOARD_PATH });
  });
  await app.register(async (scope) => {
    scope.addHook('onRequest', async (request) => sameOriginOnly(request));
    scope.addHook('onRoute', needPermission);
    scope.addHook('onRequest', permissionNeeded);
    scope.addHook('onSend', withoutForeignFonts);
    await scope.register(makeBoard(queues, READ_ONLY_BOARD_PATH, true).registerPlugin(), {
      prefix: READ_ONLY_BOARD_PATH,
    });
  });
}
