/** Owns how a server process starts and ends: one line when it is ready, a busy port named with its way out, an orderly stop. */
import type { FastifyInstance } from 'fastify';
import type { Config } from '../config.ts';
import { AppError, toAppError } from '../errors.ts';
import { stopOnSignal } from '../stop.ts';
import { endOnUncaught } from '../telemetry/fatal.ts';
import { Health, type HealthCheck } from '../telemetry/health.ts';
import { type HealthServer, serveHealth } from './health-server.ts';

export interface ServeOptions {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** Environment variable that sets the port, for the message of PORT_BUSY. */
  readonly portVariable: string;
}

/** Listens; throws PORT_BUSY. Returns the address, such as `http://127.0.0.1:4401`. */
export async function listen(app: FastifyInstance, { name, host, port, portVariable }: ServeOptions): Promise<string> {
  try {
    return await app.listen({ host, port });
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'EADDRINUSE')) throw cause;
    throw new AppError('PORT_BUSY', {
      message: `The ${name} cannot listen on ${host}:${port}: the port is in use. Set ${portVariable} to another one.`,
      details: { port, variable: portVariable },
      cause,
    });
  }
}

/** A server is of use while it answers: without Redis or the store it waits for them, unready. */
export function serviceChecks(
  { healthWindowMs: windowMs }: Config,
  redis: { ping(): Promise<unknown> },
  store: { ping(): Promise<unknown> },
): readonly HealthCheck[] {
  return [
    { name: 'redis', needed: 'ready', windowMs, ask: () => redis.ping() },
    { name: 'store', needed: 'ready', windowMs, ask: () => store.ping() },
  ];
}

/** What a server process is asked about itself, and how it ends: open requests are answered within the limit. */
export async function attend(
  app: FastifyInstance,
  config: Config,
  checks: readonly HealthCheck[],
  metrics: () => Promise<string>,
): Promise<HealthServer> {
  const health = new Health();
  const asked = await serveHealth({ config, health, metrics });
  for (const check of checks) health.watch(check);
  stopOnSignal({
    limitMs: config.stopMs,
    stop: async () => {
      health.stopping();
      await app.close();
    },
  });
  app.addHook('onListen', async () => health.started());
  return asked;
}

/** Runs a process' main: a coded failure is one JSON line on stderr and exit code 1. */
export async function runMain(main: () => Promise<void>): Promise<void> {
  endOnUncaught();
  try {
    await main();
  } catch (thrown) {
    console.error(JSON.stringify({ level: 'fatal', ...toAppError(thrown).toJSON() }));
    process.exit(1);
  }
}
