/** Owns who is said in the audit trail to have asked the dashboard, and for what. */
import type { FastifyRequest } from 'fastify';
import { PERMISSIONS, type TrailMode } from '../shared/governance/roles.ts';
import type { Asking } from '../shared/http/trail.ts';

/** Logging in and out, for which nobody needs a permission. */
const SESSION_ACT = 'session';
const SESSION_ROUTES = new Set<string | undefined>(['/login', '/logout']);

function actOf({ method, routeOptions: { url, config } }: FastifyRequest): { act: string; mode: TrailMode } {
  const { permission } = config;
  if (permission !== undefined) return { act: permission, mode: PERMISSIONS[permission].trail };
  return { act: SESSION_ACT, mode: method === 'POST' && SESSION_ROUTES.has(url) ? 'each' : 'none' };
}

/** Of one tenant. Attempts of nobody are counted: a flood of them must not become a flood of entries. */
export const askingOf =
  (tenant: string) =>
  (request: FastifyRequest): Asking => {
    const { act, mode } = actOf(request);
    const { account } = request;
    if (account === null)
      return { tenant, act, mode: mode === 'none' ? 'none' : 'counted', actor: { kind: 'nobody', id: '' } };
    return { tenant, act, mode, actor: { kind: 'account', id: account.user }, role: account.role };
  };
