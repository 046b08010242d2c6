/** Owns the one hook by which a server writes to the audit trail: what a request was about, and how it ended, before its answer goes out. */
import { randomUUID } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { TrailMode } from '../governance/roles.ts';
import type { TrailDesk } from '../governance/trail-desk.ts';
import type { People, TrailNote } from '../store/ports.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Code that the request is refused with. */
    refusal: string | undefined;
    isTrailed: boolean;
  }
}

/** Parameters that are opaque ids of ours. What a caller makes up is not kept: only of what was found. */
const OPAQUE_PARAMS = ['id', 'runKey', 'version'] as const;
const ID_CHARS_MAX = 300;

export interface Asking extends Pick<TrailNote, 'actor' | 'role'> {
  readonly tenant: string;
  /** The permission that it needs. */
  readonly act: string;
  readonly mode: TrailMode;
  /** External id of the person whom it is about; absent: the parameter `user`, if there is one. */
  readonly user?: string;
}

export interface TrailHook {
  readonly people: Pick<People, 'keys'>;
  readonly desk: TrailDesk;
  readonly now: () => number;
  /** Undefined: the route is open to everybody. */
  readonly asking: (request: FastifyRequest) => Asking | undefined;
}

export const newRequestId = (): string => randomUUID();

function idsIn(params: Readonly<Record<string, unknown>>): { readonly ids?: string[] } {
  const ids = OPAQUE_PARAMS.flatMap((name) => {
    const id = params[name];
    return typeof id === 'string' && id.length <= ID_CHARS_MAX ? [id] : [];
  });
  return ids.length === 0 ? {} : { ids };
}

export function trailRequests(app: FastifyInstance, { people, desk, now, asking }: TrailHook): void {
  app.decorateRequest('refusal', undefined);
  app.decorateRequest('isTrailed', false);
  app.addHook('onSend', async (request, _reply, payload) => {
    const asked = asking(request);
    if (asked === undefined || asked.mode === 'none' || request.isTrailed) return payload;
    const { tenant, act, mode, user: about, ...who } = asked;
    request.isTrailed = true;
    const { refusal } = request;
    const params = (request.params ?? {}) as Readonly<Record<string, unknown>>;
    const user = about ?? params.user;
    const note: TrailNote = {
      ...who,
      act,
      object: `${request.method} ${request.routeOptions.url}`,
      ...(refusal === undefined && idsIn(params)),
      ...(typeof user === 'string' && { subject: people.keys(tenant, [user])[0]! }),
      outcome: refusal ?? 'allowed',
      at: now(),
      request: request.id,
    };
    const told = desk.tell(tenant, note, mode);
    // Nothing goes out with a refusal: it stands, also where it cannot be written down.
    await (refusal === undefined ? told : told.catch(() => {}));
    return payload;
  });
}
