/** Owns the list of a server's routes, made as they are registered: a test holds it against the table of permissions, so that no route is forgotten. */
import type { FastifyContextConfig, FastifyInstance, RouteOptions } from 'fastify';

export interface RouteRow {
  readonly method: string;
  readonly url: string;
  readonly config: FastifyContextConfig;
}

declare module 'fastify' {
  interface FastifyInstance {
    routeTable: readonly RouteRow[];
  }
}

/** To be called before any route is registered. HEAD goes with GET. */
export function listRoutes(app: FastifyInstance): void {
  const rows: RouteRow[] = [];
  app.decorate('routeTable', rows);
  app.addHook('onRoute', (route) => {
    for (const method of [route.method].flat()) if (method !== 'HEAD') rows.push(rowOf(method, route));
  });
}

/** Later hooks may still say what the route needs. */
const rowOf = (method: string, route: RouteOptions): RouteRow => ({
  method,
  url: route.url,
  get config() {
    return route.config ?? {};
  },
});
