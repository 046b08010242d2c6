/** Owns the dashboard's routes for dead letters: everybody may look, operators may redrive. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { permitRunKey } from '../jobs/gateway/job-classes.ts';
import { StoreDesk } from '../jobs/gateway/dead-letter-desk.ts';
import type { Permission } from '../shared/governance/roles.ts';
import type { SealRing } from '../shared/contract-kit/seal.ts';
import { AppError } from '../shared/errors.ts';
import { errorOfFailure } from '../jobs/client/failure.ts';
import { guardsOf } from './auth.ts';
import { accountOf } from './guards.ts';
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
  readonly mayChange: (request: FastifyRequest, reply: FastifyReply, permission: Permission) => string | undefined;
}

export function registerDeadLetters(app: FastifyInstance, { sources, ring, show, mayChange }: DeadLetterRoutes): void {
  const { store, queues, tenant, now } = sources;
  const queueOf = async (kind: string) => {
    const found = queues.find(({ name }) => name === kind);
    if (found === undefined) throw new AppError('KIND_UNKNOWN', { details: { kind } });
    return found;
  };
  const desk = new StoreDesk({ store, queueOf, ring, tenant, now });

  app.get<{ Querystring: { after?: string } }>(
    '/dead-letters',
    { config: { permission: 'jobs:read' } },
    async (request, reply) => {
      const { after } = request.query;
      const page = await desk.page({ limit: LETTERS_SHOWN, ...(typeof after === 'string' ? { after } : {}) });
      const frame = { title: 'Dead letters', here: 'dead-letters' } as const;
      return show(request, reply, frame, deadLettersPage(page, now(), mayChange(request, reply, 'jobs:redrive')));
    },
  );

  const guards = guardsOf(app, 'jobs:redrive');
  app.post<{ Params: { runKey: string } }>('/runs/:runKey/redrive', guards, async (request, reply) => {
    const { runKey } = request.params;
    permitRunKey(accountOf(request), runKey);
    const [result] = await desk.redrive([runKey]);
    if (result?.error !== undefined) {
      const { code, message, details = {} } = result.error;
      throw errorOfFailure({ code, message, details });
    }
    return reply.redirect(`/runs/${encodeURIComponent(runKey)}`, 303);
  });
}
