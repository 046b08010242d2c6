/**
 * Owns the processes that `millrace up` starts: waits until each is ready, starts again what died (its work is taken up by the
 * ledger), keeps what they say in log files, and ends them all and nothing else.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdirSync, statSync, type WriteStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { ALLOCATOR_ENV } from '../../shared/compute/allocator.ts';
import { PROJECT_DIR } from '../../shared/config.ts';
import { AppError, ERROR_CODES, type ErrorCodeName, toAppError } from '../../shared/errors.ts';

const READY_MS_MAX = 60_000;
const END_MS_MAX = 25_000;
/** What a process said last, for the error when it dies. */
const TAIL_CHARS = 2_000;
const LOG_BYTES_MAX = 16 * 1024 * 1024;
/** A process that dies so often within the window is not started again. */
const DEATHS_MAX = 5;
const DEATHS_WINDOW_MS = 60_000;
const RESTART_DELAY_MS = 500;

export interface Service {
  readonly title: string;
  readonly script: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface ProcessesOptions {
  readonly env: NodeJS.ProcessEnv;
  /** Folder of the log files. */
  readonly logDir: string;
  /** Once aborted, nothing is started again. */
  readonly signal: AbortSignal;
  readonly say: (text: string) => void;
}

export class Processes implements AsyncDisposable {
  readonly #options: ProcessesOptions;
  readonly #children = new Map<string, ChildProcess>();
  readonly #logs = new Map<string, WriteStream>();
  readonly #died: PromiseWithResolvers<never> = Promise.withResolvers();
  #ending = false;

  constructor(options: ProcessesOptions) {
    this.#options = options;
    this.#died.promise.catch(() => {}); // heard through `died`
    mkdirSync(options.logDir, { recursive: true, mode: 0o700 });
  }

  /** Rejects when a process cannot be kept alive. */
  get died(): Promise<never> {
    return this.#died.promise;
  }

  /** Starts a process and keeps it alive; resolves once it says `{"ready": ...}` for the first time. */
  async start(service: Service): Promise<void> {
    const { ready, gone } = this.#spawn(service);
    await Promise.race([ready, gone.then((error) => Promise.reject(error))]);
    void this.#keep(service, gone);
  }

  get #stopping(): boolean {
    return this.#ending || this.#options.signal.aborted;
  }

  /** Starts it again after each death, until it dies too often. */
  async #keep(service: Service, first: Promise<AppError>): Promise<void> {
    const deaths: number[] = [];
    let gone = first;
    for (;;) {
      const error = await gone;
      if (this.#stopping) return;
      deaths.push(Date.now());
      const recent = deaths.filter((at) => at > Date.now() - DEATHS_WINDOW_MS).length;
      if (recent >= DEATHS_MAX) return this.#died.reject(error);
      this.#options.say(`${error.message.split('.')[0]}. It is started again.`);
      await sleep(RESTART_DELAY_MS * 2 ** (recent - 1));
      if (this.#stopping) return;
      const next = this.#spawn(service);
      next.ready.catch(() => {}); // one that does not get ready ends, and is counted there
      gone = next.gone;
    }
  }

  #spawn({ title, script, env = {} }: Service): { readonly ready: Promise<void>; readonly gone: Promise<AppError> } {
    const child = spawn(process.execPath, [join(PROJECT_DIR, script)], {
      // Both are read before a line of ours runs.
      env: { TF_CPP_MIN_LOG_LEVEL: '2', ...ALLOCATOR_ENV, ...this.#options.env, ...env },
      // The channel tells the process when we are gone, however we went.
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.#children.set(title, child);
    const log = this.#log(title);
    let tail = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      tail = (tail + text).slice(-TAIL_CHARS);
      log.write(text);
    });
    const gone = once(child, 'exit').then(([code, signal]) => {
      if (this.#children.get(title) === child) this.#children.delete(title);
      const how = signal === null ? `exit code ${code}` : String(signal);
      const last = lastLine(tail);
      return (
        saidError(title, last) ??
        new AppError('SERVICE_UNAVAILABLE', {
          message: `The ${title} ended by itself (${how}). ${last}`,
          details: { title },
        })
      );
    });
    const ready = whenReady(child).catch((cause: unknown) => {
      child.kill('SIGKILL');
      throw new AppError('SERVICE_UNAVAILABLE', {
        message: `The ${title} was not ready in time. ${lastLine(tail)}`,
        cause: toAppError(cause),
      });
    });
    return { ready, gone };
  }

  #log(title: string): WriteStream {
    let log = this.#logs.get(title);
    if (log === undefined) {
      const path = join(this.#options.logDir, `${title}.log`);
      const bytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
      log = createWriteStream(path, { flags: bytes > LOG_BYTES_MAX ? 'w' : 'a', mode: 0o600 });
      this.#logs.set(title, log);
    }
    return log;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending = true;
    await Promise.all([...this.#children.values()].map((child) => end(child)));
    for (const log of this.#logs.values()) log.end();
  }
}

async function whenReady(child: ChildProcess): Promise<void> {
  const late = AbortSignal.timeout(READY_MS_MAX);
  const lines = createInterface({ input: child.stdout as Readable });
  await new Promise<void>((resolve, reject) => {
    late.addEventListener('abort', () => reject(late.reason as Error), { once: true });
    lines.on('line', (line) => {
      if (line.startsWith('{"ready"')) resolve();
    });
  });
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}

/** The coded error with which a process ended itself: a line of text, or of JSON with the text in `message`. */
function saidError(title: string, line: string): AppError | undefined {
  let text = line;
  try {
    text = String((JSON.parse(line) as { message?: unknown }).message);
  } catch {} // plain text, then
  const [, code = '', said = ''] = /^([A-Z_]+): (.*)$/.exec(text) ?? [];
  if (!Object.hasOwn(ERROR_CODES, code)) return undefined;
  const { todo } = ERROR_CODES[code as ErrorCodeName];
  const message = said.endsWith(todo) ? said.slice(0, -todo.length).trimEnd() : said;
  return new AppError(code as ErrorCodeName, { message: `${message} (the ${title})`, details: { title } });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), END_MS_MAX);
  await gone;
  clearTimeout(timer);
}
