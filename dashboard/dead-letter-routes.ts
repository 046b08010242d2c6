/** Owns the dashboard's routes for dead letters: everybody may look, operators may redrive. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { StoreDesk } from '../jobs/gateway/dead-letter-desk.ts';
import type { SealRing } from '../shared/contract-kit/seal.ts';
import { AppError } from '../shared/errors.ts';
import { errorOfFailure } from '../jobs/client/failure.ts';
import { formGuard } from './auth.ts';
import { operatorNeeded } from './guards.ts';
import type { Markup } from './html.ts';
import type { OverviewSources } from './overview/read.ts';
import type { Frame } from './pages/layout.ts';
import { deadLettersPage } from './pages/dead-letters-page.ts';

const LETTERS_SHOWN = 50;

export type Show = (request: FastifyRequest, reply: FastifyReply, frame: Frame, main: Markup) => FastifyReply;

export interface DeadLetterRoutes {
  readonly sources: OverviewSources;
  readonly ring: SealRing;
  readonly show: Show;
  readonly mayChange: (request: FastifyRequest, reply: FastifyReply) => string | undefined;
}

export function registerDeadLetters(app: FastifyInstance, { sources, ring, show, mayChange }: DeadLetterRoutes): void {
  const { store, queues, tenant, now } = sources;
  const queueOf = async (kind: string) => {
    const found = queues.find(({ name }) => name === kind);
    if (found === undefined) throw new AppError('KIND_UNKNOWN', { details: { kind } });
    return found;
  };
  const desk = new StoreDesk({ store, queueOf, ring, tenant, now });

  app.get<{ Querystring: { after?: string } }>('/dead-letters', async (request, reply) => {
    const { after } = request.query;
    const page = await desk.page({ limit: LETTERS_SHOWN, ...(typeof after === 'string' ? { after } : {}) });
    const frame = { title: 'Dead letters', here: 'dead-letters' } as const;
    return show(request, reply, frame, deadLettersPage(page, now(), mayChange(request, reply)));
  });

  const guards = { preHandler: [operatorNeeded, formGuard(app)] };
  app.post<{ Params: { runKey: string } }>('/runs/:runKey/redrive', guards, async (request, reply) => {
    const { runKey } = request.params;
    const [result] = await desk.redrive([runKey]);
    if (result?.error !== undefined) {
      const { code, message, details = {} } = result.error;
      throw errorOfFailure({ code, message, details });
    }
    return reply.redirect(`/runs/${encodeURIComponent(runKey)}`, 303);
  });
}
