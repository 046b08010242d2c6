// @ts-check
/** Owns the choice of ports on loopback; a busy one is named together with its way out. */
import { createServer } from 'node:net';
import { SetupError } from './setup-error.mjs';

export const LOOPBACK = '127.0.0.1';

/** The ports of `npm start`, and the variable that moves each. */
export const DEFAULT_PORTS = /** @type {const} */ ({
  redis: { name: 'Redis', port: 6390, variable: 'MILLRACE_REDIS_PORT' },
  mongodb: { name: 'MongoDB', port: 27390, variable: 'MILLRACE_MONGODB_PORT' },
  dashboard: { name: 'the dashboard', port: 4400, variable: 'MILLRACE_DASHBOARD_PORT' },
  gateway: { name: 'the gateway', port: 4401, variable: 'MILLRACE_GATEWAY_PORT' },
});

/**
 * Binds PORT (0: any) on loopback for a moment and gives the number, or undefined where it is taken.
 * @param {number} port
 * @returns {Promise<number | undefined>}
 */
function bindOnce(port) {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (/** @type {NodeJS.ErrnoException} */ error) => {
      if (error.code === 'EADDRINUSE' || error.code === 'EACCES') resolve(undefined);
      else reject(error);
    });
    server.listen({ port, host: LOOPBACK, exclusive: true }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : port));
    });
  });
}

/** @param {number} port */
export async function isPortFree(port) {
  return (await bindOnce(port)) !== undefined;
}

/** A port that is free now. The kernel hands them out in turn, so that two callers rarely get the same. */
export async function freePort() {
  const port = await bindOnce(0);
  if (port === undefined) throw new SetupError('No port is free on 127.0.0.1.', 'Close some programs and try again.');
  return port;
}

/**
 * The port that a service of `npm start` shall use, whether or not it is free.
 * @param {keyof typeof DEFAULT_PORTS} service
 * @param {NodeJS.ProcessEnv} [env]
 */
export function configuredPort(service, env = process.env) {
  const { port, variable } = DEFAULT_PORTS[service];
  const given = env[variable];
  if (given === undefined || given === '') return port;
  const number = Number(given);
  if (!Number.isInteger(number) || number < 1 || number > 65_535) {
    throw new SetupError(`${variable}=${given} is not a port.`, `Set ${variable} to a number from 1 to 65535.`);
  }
  return number;
}

/**
 * The configured port, refused with its way out when somebody else has it.
 * @param {keyof typeof DEFAULT_PORTS} service
 * @param {NodeJS.ProcessEnv} [env]
 */
export async function requirePort(service, env = process.env) {
  const port = configuredPort(service, env);
  if (await isPortFree(port)) return port;
  const { name, variable } = DEFAULT_PORTS[service];
  const other = await nextFreePort(port);
  throw new SetupError(
    `Port ${port}, wanted for ${name}, is used by another program.`,
    `Stop that program, or choose another port: ${variable}=${other} npm start`,
  );
}

/** @param {number} port */
async function nextFreePort(port) {
  for (let candidate = port + 10; candidate < Math.min(port + 200, 65_536); candidate += 10) {
    if (await isPortFree(candidate)) return candidate;
  }
  return freePort();
}
