/**
 * Owns the door through which people come themselves: `/v1/me/...` with a token instead of a key. A route under `/v1/people/:user` that says `me` in its
 * configuration has a twin there, of the same handler, schemas and limits; whose it is stands in the token, and a change uses the token up.
 */
import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify';
import { z } from 'zod';
import { AppError } from '../../shared/errors.ts';
import type { PersonToken, PersonTokens, TokenAct } from '../../shared/store/ports.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who comes with a token; null: a key, or nobody. */
    person: PersonToken | null;
  }
  interface FastifyContextConfig {
    /** The person may do so themselves. */
    me?: boolean;
    /** Of a twin: what its token must be good for. */
    person?: TokenAct;
  }
}

const OF_PEOPLE = '/v1/people/:user';
const OF_ME = '/v1/me';
const PREFLIGHT_SECONDS = 600;

const actOf = (method: unknown): TokenAct => (method === 'GET' ? 'read' : 'change');

function twinOf({ method, url, schema = {}, handler, bodyLimit, config }: RouteOptions): RouteOptions {
  const { params, ...rest } = schema as { params?: unknown };
  const others = params instanceof z.ZodObject ? params.omit({ user: true }) : undefined;
  const { scope: _scope, kind: _kind, me: _me, ...kept } = config ?? {};
  return {
    method,
    url: OF_ME + url.slice(OF_PEOPLE.length),
    config: { ...kept, person: actOf(method) },
    schema: { ...rest, ...(others && { params: others }), security: [{ person: [] }] },
    ...(bodyLimit !== undefined && { bodyLimit }),
    handler,
  };
}

/** The token of a request to a twin. Throws AUTH_TOKEN_INVALID and what stands against the token; AUTH_TOKEN_ACT when it is not good for that. */
export async function personOf(request: FastifyRequest, act: TokenAct, tokens: PersonTokens): Promise<PersonToken> {
  const [, token] = /^Bearer ([\x21-\x7e]+)$/i.exec(request.headers.authorization ?? '') ?? [];
  if (token === undefined) throw new AppError('AUTH_TOKEN_INVALID');
  const person = await tokens.read(token);
  if (!person.acts.includes(act)) throw new AppError('AUTH_TOKEN_ACT', { details: { needed: act, acts: person.acts } });
  return person;
}

/** To be called before the routes of people. */
export function openDoorForPeople(app: FastifyInstance, tokens: PersonTokens): void {
  app.decorateRequest('person', null);
  app.addHook('onRoute', (route) => {
    if (route.config?.me !== true || route.method === 'HEAD' || !route.url.startsWith(OF_PEOPLE)) return;
    app.route(twinOf(route));
  });
  // After the body was found good: a slip costs no token.
  app.addHook('preHandler', async (request) => {
    const { person, routeOptions } = request;
    const act = routeOptions.config.person;
    if (act === undefined || person === null) return;
    request.params = { ...(request.params as object), user: person.user };
    if (act === 'change' && !(await tokens.spend(person))) throw new AppError('AUTH_TOKEN_REPLAYED');
  });
  openToBrowsers(app);
}

/** A page of any origin may ask: what it holds is the token, and no cookie is looked at. */
function openToBrowsers(app: FastifyInstance): void {
  app.addHook('onSend', async (request, reply, payload) => {
    if (request.routeOptions.url?.startsWith(OF_ME) === true)
      reply
        .header('access-control-allow-origin', '*')
        .header('cross-origin-resource-policy', 'cross-origin')
        .header('cache-control', 'no-store');
    return payload;
  });
  for (const url of [OF_ME, `${OF_ME}/*`])
    app.options(url, { schema: { hide: true } }, (_request, reply) =>
      reply
        .code(204)
        .header('access-control-allow-methods', 'GET, POST')
        .header('access-control-allow-headers', 'authorization, content-type')
        .header('access-control-max-age', String(PREFLIGHT_SECONDS))
        .send(),
    );
}
