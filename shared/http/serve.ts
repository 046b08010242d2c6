/** Owns how a server process starts and ends: one line when it is ready, a busy port named with its way out, an orderly stop. */
import type { FastifyInstance } from 'fastify';
import { AppError, toAppError } from '../errors.ts';
import { endOnUncaught } from '../telemetry/fatal.ts';

/** Open requests get this long when the process is asked to stop. */
const CLOSE_MS_MAX = 10_000;

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

/** Closes the app once on SIGTERM or SIGINT, or when the parent process is gone, and then ends the process: 0, or 1 when closing took too long. */
export function closeOnSignal(app: FastifyInstance): void {
  let closing = false;
  const close = (): void => {
    if (closing) return;
    closing = true;
    setTimeout(() => process.exit(1), CLOSE_MS_MAX).unref();
    app.close().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.once('SIGTERM', close);
  process.once('SIGINT', close);
  process.once('disconnect', close); // the process that started this one is gone
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
