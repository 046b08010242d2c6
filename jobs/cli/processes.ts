/** Owns the processes that `millrace up` starts: waits until each is ready, tells which one died, ends them all and nothing else. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { PROJECT_DIR } from '../../shared/config.ts';
import { AppError } from '../../shared/errors.ts';

const READY_MS_MAX = 60_000;
const END_MS_MAX = 25_000;
/** What a process said last, for the error when it dies. */
const TAIL_CHARS = 2_000;

export interface Service {
  readonly title: string;
  readonly script: string;
  readonly env?: Readonly<Record<string, string>>;
}

export class Processes implements AsyncDisposable {
  readonly #children = new Map<string, ChildProcess>();
  readonly #env: NodeJS.ProcessEnv;
  readonly #died: PromiseWithResolvers<never> = Promise.withResolvers();
  #ending = false;

  constructor(env: NodeJS.ProcessEnv) {
    this.#env = env;
    this.#died.promise.catch(() => {}); // heard through `died`
  }

  /** Rejects when a process ends by itself. */
  get died(): Promise<never> {
    return this.#died.promise;
  }

  /** Starts a process; resolves once it says `{"ready": ...}` on its standard output. Its channel tells it when we are gone. */
  async start({ title, script, env = {} }: Service): Promise<void> {
    const child = spawn(process.execPath, [join(PROJECT_DIR, script)], {
      env: { ...this.#env, ...env },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.#children.set(title, child);
    let tail = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      tail = (tail + text).slice(-TAIL_CHARS);
      if (process.env.MILLRACE_LOG !== undefined) process.stderr.write(text);
    });
    const gone = once(child, 'exit').then(([code, signal]) => {
      this.#children.delete(title);
      const error = new AppError('SERVICE_UNAVAILABLE', {
        message: `The ${title} ended by itself (${signal ?? `exit code ${code}`}). ${lastLine(tail)}`,
        details: { title },
      });
      if (!this.#ending) this.#died.reject(error);
      throw error;
    });
    gone.catch(() => {}); // heard through `died`, or by the race below
    await Promise.race([this.#ready(child, title, () => lastLine(tail)), gone]);
  }

  async #ready(child: ChildProcess, title: string, lastWords: () => string): Promise<void> {
    const lines = createInterface({ input: child.stdout as Readable });
    const heard = new Promise<void>((resolve) => {
      lines.on('line', (line) => {
        if (line.startsWith('{"ready"')) resolve();
      });
    });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        reject(
          new AppError('SERVICE_UNAVAILABLE', {
            message: `The ${title} was not ready in ${READY_MS_MAX / 1000} s. ${lastWords()}`,
          }),
        );
      }, READY_MS_MAX);
    });
    try {
      await Promise.race([heard, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending = true;
    await Promise.all([...this.#children.values()].map((child) => end(child)));
  }
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), END_MS_MAX);
  await gone;
  clearTimeout(timer);
}
