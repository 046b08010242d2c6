/**
 * Owns what is heard and traced of requests: route, status and duration, never an address, which may carry a person's id. The trace of a
 * caller goes on through the request, also where this process makes no spans of its own.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { OpenSpan, Telemetry } from '../telemetry/stream.ts';

const incoming = new AsyncLocalStorage<string>();

/** W3C traceparent of the request that is being answered. */
export const traceOfRequest =
  (telemetry: Telemetry): (() => string | undefined) =>
  () =>
    telemetry.spans?.current() ?? incoming.getStore();

export function observeRequests(app: FastifyInstance, server: string, telemetry: Telemetry): void {
  const spans = new WeakMap<FastifyRequest, OpenSpan>();
  const enter = (request: FastifyRequest, done: () => void): void => {
    const { traceparent } = request.headers;
    const span = spans.get(request);
    if (span !== undefined) span.enter(done);
    else if (typeof traceparent === 'string') incoming.run(traceparent, done);
    else done();
  };
  app.addHook('onRequest', (request, _reply, done) => {
    const { traceparent } = request.headers;
    const { method } = request;
    const route = routeOf(request);
    const span = telemetry.spans?.open({
      name: `${method} ${route}`,
      kind: 'server',
      ...(typeof traceparent === 'string' ? { parent: traceparent } : {}),
      attributes: { 'http.request.method': method, 'http.route': route },
    });
    if (span !== undefined) spans.set(request, span);
    enter(request, done);
  });
  // Reading the body loses what was entered.
  app.addHook('preValidation', (request, _reply, done) => enter(request, done));
  app.addHook('onResponse', (request, { statusCode: status, elapsedTime }, done) => {
    spans.get(request)?.end(status >= 500 ? String(status) : undefined);
    const seconds = elapsedTime / 1000;
    telemetry.emit('http.request', { server, method: request.method, route: routeOf(request), status, seconds });
    done();
  });
}

const routeOf = ({ routeOptions }: FastifyRequest): string => routeOptions.url ?? 'none';
