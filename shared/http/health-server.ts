/**
 * Owns the port that whoever runs Millrace asks: /livez, /readyz, /startupz and /metrics. It needs no login, so it listens on loopback unless
 * told otherwise, and says nothing about people or tenants.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { Config } from '../config.ts';
import { AppError } from '../errors.ts';
import type { Health, HealthReport } from '../telemetry/health.ts';

const REQUEST_MS_MAX = 5_000;

export interface HealthServerOptions {
  readonly config: Pick<Config, 'healthHost' | 'healthPort'>;
  readonly health: Health;
  /** The text of /metrics, in the Prometheus format. */
  readonly metrics?: () => Promise<string>;
}

export interface HealthServer {
  /** Such as `http://127.0.0.1:4402`. */
  readonly address: string;
}

type Answer = (response: ServerResponse) => void | Promise<void>;

const report =
  (of: () => HealthReport): Answer =>
  (response) => {
    const said = of();
    response.writeHead(said.ok ? 200 : 503, { 'content-type': 'application/json' }).end(JSON.stringify(said));
  };

/** Listens until the process ends, also while it stops; throws PORT_BUSY. */
export async function serveHealth({ config, health, metrics }: HealthServerOptions): Promise<HealthServer> {
  const routes: Readonly<Record<string, Answer>> = {
    '/livez': report(() => health.live()),
    '/readyz': report(() => health.ready()),
    '/startupz': report(() => health.startup()),
    ...(metrics === undefined
      ? {}
      : {
          '/metrics': async (response) => {
            const text = await metrics();
            response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(text);
          },
        }),
  };
  const server = createServer(
    { requestTimeout: REQUEST_MS_MAX, headersTimeout: REQUEST_MS_MAX },
    (request, response) => {
      void answer(routes, request, response);
    },
  );
  server.listen(config.healthPort, config.healthHost);
  try {
    await once(server, 'listening');
  } catch (cause) {
    throw portFailure(cause, config);
  }
  server.unref(); // it keeps no process alive
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : config.healthPort;
  return { address: `http://${config.healthHost}:${port}` };
}

async function answer(
  routes: Readonly<Record<string, Answer>>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = (request.url ?? '').split('?')[0] ?? '';
  const route = Object.hasOwn(routes, path) ? routes[path] : undefined;
  if (route === undefined || (request.method !== 'GET' && request.method !== 'HEAD')) {
    response.writeHead(404).end();
    return;
  }
  try {
    await route(response);
  } catch {
    if (!response.headersSent) response.writeHead(500);
    response.end();
  }
}

function portFailure(cause: unknown, { healthHost, healthPort }: HealthServerOptions['config']): unknown {
  if (!(cause instanceof Error && 'code' in cause && cause.code === 'EADDRINUSE')) return cause;
  return new AppError('PORT_BUSY', {
    message: `Health cannot be asked on ${healthHost}:${healthPort}: the port is in use. Set MILLRACE_HEALTH_PORT to another one, or to 0.`,
    details: { port: healthPort, variable: 'MILLRACE_HEALTH_PORT' },
    cause,
  });
}
