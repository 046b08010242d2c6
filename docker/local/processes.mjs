// @ts-check
/**
 * Owns the processes that set-up starts: who they are, and that they and no others are stopped.
 *
 * A process is known by pid, start time and command line together; a pid alone may have been given to
 * a stranger since.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, appendFileSync, closeSync, constants, openSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';

const STOP_MS_MAX = 20_000;
const POLL_MS = 50;

/** @typedef {{pid: number, startedAt: string, command: string}} ProcessIdentity */

/**
 * The first executable of that name on PATH.
 * @param {string} name
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {string | undefined}
 */
export function findOnPath(name, env = process.env) {
  for (const folder of (env.PATH ?? '').split(delimiter)) {
    if (folder === '') continue;
    const file = join(folder, name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}

/**
 * Who a process is, or undefined when it is gone (or a zombie).
 * @param {number} pid
 * @returns {Promise<ProcessIdentity | undefined>}
 */
export async function identify(pid) {
  if (process.platform === 'linux') return identifyOnLinux(pid);
  try {
    const { stdout } = await promisify(execFile)('ps', ['-o', 'lstart=', '-o', 'command=', '-p', String(pid)]);
    const line = stdout.trim();
    // `lstart` is always 24 characters: "Sun Nov 22 10:25:01 2026".
    return line === '' ? undefined : { pid, startedAt: line.slice(0, 24), command: line.slice(25) };
  } catch {
    return undefined;
  }
}

/**
 * @param {number} pid
 * @returns {ProcessIdentity | undefined}
 */
function identifyOnLinux(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in brackets may hold blanks: fields are counted from the last bracket (proc(5): state is 3, starttime 22).
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
    return { pid, startedAt: fields[19] ?? '', command };
  } catch {
    return undefined;
  }
}

/**
 * Whether that very process still runs.
 * @param {ProcessIdentity} known
 */
export async function isAlive(known) {
  const now = await identify(known.pid);
  return now !== undefined && now.startedAt === known.startedAt && now.command === known.command;
}

/**
 * Stops that very process and waits until it is gone; a stranger with its pid is left alone.
 * @param {ProcessIdentity} known
 * @param {NodeJS.Signals} [signal] the signal that asks it to end
 */
export async function stopProcess(known, signal = 'SIGTERM') {
  if (!(await isAlive(known))) return;
  const deadline = Date.now() + STOP_MS_MAX;
  send(known.pid, signal);
  while (await isAlive(known)) {
    if (Date.now() > deadline) {
      send(known.pid, 'SIGKILL');
      return;
    }
    await pause(POLL_MS);
  }
}

/**
 * @param {number} pid negative for a process group
 * @param {NodeJS.Signals} signal
 */
export function send(pid, signal) {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'ESRCH') throw error;
  }
}

/**
 * @typedef {object} Service
 * @property {string} name
 * @property {number} pid
 * @property {() => Promise<ProcessIdentity | undefined>} identity as it is now: exec and a server's own title change the command
 * @property {NodeJS.Signals} stopSignal
 * @property {string} log its output
 * @property {() => boolean} hasEnded
 * @property {Promise<void>} ended
 * @property {() => Promise<void>} stop
 */

/**
 * Starts a server in a session of its own, so that Ctrl-C reaches us first and we stop things in order.
 * Where Linux offers it, the server also ends when we are killed without a chance to stop it.
 * @param {{name: string, command: string, args: string[], log: string, stopSignal?: NodeJS.Signals, env?: NodeJS.ProcessEnv,
 *   endsWithUs?: boolean}} options
 * @returns {Promise<Service>}
 */
export async function startService({ name, command, args, log, stopSignal = 'SIGTERM', env, endsWithUs = true }) {
  const setpriv = endsWithUs && process.platform === 'linux' ? findOnPath('setpriv') : undefined;
  const [file, all] = setpriv
    ? [setpriv, ['--pdeathsig', stopSignal.slice(3), '--', command, ...args]]
    : [command, args];
  const output = openSync(log, 'a');
  const child = spawn(file, all, { detached: true, stdio: ['ignore', output, output], env: env ?? process.env });
  closeSync(output);
  await once(child, 'spawn');
  const pid = /** @type {number} */ (child.pid);
  let over = false;
  /** @type {Promise<void>} */
  const ended = new Promise((resolve) => {
    child.once('exit', () => {
      over = true;
      resolve();
    });
  });
  child.unref();
  return {
    name,
    pid,
    stopSignal,
    identity: () => identify(pid),
    log,
    hasEnded: () => over,
    ended,
    async stop() {
      if (over) return;
      child.ref();
      send(pid, stopSignal);
      const timer = setTimeout(() => send(pid, 'SIGKILL'), STOP_MS_MAX);
      await ended;
      clearTimeout(timer);
    },
  };
}

/**
 * Runs a command to its end. Output goes to `onLine` line by line and, whole, to the log file.
 * @param {string} command
 * @param {string[]} args
 * @param {{cwd?: string, env?: NodeJS.ProcessEnv, log?: string, onLine?: (line: string) => void, signal?: AbortSignal,
 *   statusFd?: boolean}} [options] statusFd: fd 3 is read as a second stream of lines
 * @returns {Promise<{code: number, output: string}>} code -1 when it could not be started or was killed
 */
export async function run(command, args, options = {}) {
  const { cwd, env, log, onLine, statusFd } = options;
  const child = spawn(command, args, {
    cwd,
    env: env ?? process.env,
    stdio: ['ignore', 'pipe', 'pipe', ...(statusFd ? /** @type {const} */ (['pipe']) : [])],
    ...(options.signal ? { signal: options.signal } : {}),
  });
  let output = '';
  for (const stream of child.stdio.slice(1)) {
    if (!stream || !('setEncoding' in stream)) continue;
    let rest = '';
    stream.setEncoding('utf8');
    stream.on('data', (/** @type {string} */ text) => {
      if (log) appendFileSync(log, text);
      output = (output + text).slice(-64_000);
      const lines = (rest + text).split(/\r?\n|\r/);
      rest = lines.pop() ?? '';
      if (onLine) lines.forEach(onLine);
    });
  }
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ code: -1, output: `${output}${error.message}` }));
    child.once('close', (code) => resolve({ code: code ?? -1, output }));
  });
}

/**
 * The last lines of a command's output, for a message.
 * @param {string} output
 * @param {number} [count]
 */
export function lastLines(output, count = 8) {
  return output.trim().split('\n').slice(-count).join('\n    ');
}
