/** Owns who is said in the audit trail to have asked the gateway, and for what: every route that has a scope is told by the table of permissions when to write. */
import type { FastifyRequest } from 'fastify';
import { DEFAULT_TENANT } from '../../shared/contract-kit/names.ts';
import { PERMISSIONS, type TrailMode } from '../../shared/governance/roles.ts';
import type { KeyScope, TokenAct } from '../../shared/store/ports.ts';
import type { Asking } from '../../shared/http/trail.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** How the route gets into the audit trail; absent: as its scope does. */
    trail?: TrailMode;
  }
}

/** Guesses of keys, and what comes too fast, are counted: a flood of requests must not become a flood of entries. */
function modeOf({ apiKey, refusal, routeOptions }: FastifyRequest, scope: KeyScope): TrailMode {
  const mode = routeOptions.config.trail ?? PERMISSIONS[scope].trail;
  return mode !== 'none' && (apiKey === null || refusal === 'LIMIT_RATE') ? 'counted' : mode;
}

/** A person by themselves: the pseudonym stands for who, and for whom. */
function askingPerson({ person, refusal }: FastifyRequest, needed: TokenAct): Asking {
  const act = needed === 'read' ? 'people:read' : 'people:write';
  if (person === null) return { ...NOBODY, act, mode: 'counted' };
  const { tenant, user } = person;
  return { tenant, actor: { kind: 'person', id: '' }, user, act, mode: refusal === 'LIMIT_RATE' ? 'counted' : 'each' };
}

const NOBODY = { tenant: DEFAULT_TENANT, actor: { kind: 'nobody', id: '' } } as const;

export function asking(request: FastifyRequest): Asking | undefined {
  const { scope, person: personAct } = request.routeOptions.config;
  if (personAct !== undefined) return askingPerson(request, personAct);
  if (scope === undefined) return undefined;
  const { apiKey } = request;
  return {
    act: scope,
    mode: modeOf(request, scope),
    ...(apiKey === null
      ? NOBODY
      : { tenant: apiKey.tenant, actor: { kind: 'key', id: apiKey.id }, role: apiKey.role ?? apiKey.scopes.join(' ') }),
  };
}
