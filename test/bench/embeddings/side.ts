/**
 * Owns a side of a comparison as a process of its own: a line of JSON in, a line of JSON out. Both sides are started alike, read
 * the same files and measure themselves alike, so that wall, CPU and peak memory can be held against each other.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { peerPython } from './python.ts';

/** What a command answers; `seconds` and `cpuSeconds` are of the work alone, `peakMb` of the process so far. */
export interface Answer {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly peakMb: number;
  /** Width of the factors that it wrote. */
  readonly width: number;
  readonly about: string;
}

export class SideProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #folder: string;

  private constructor(child: ChildProcess, folder: string) {
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
    this.#folder = folder;
  }

  /** Millrace in a Node process. */
  static ours(folder: string, threads: number): SideProcess {
    const script = fileURLToPath(new URL('./ours.ts', import.meta.url));
    return SideProcess.#start(process.execPath, [script], folder, threads, {});
  }

  /**
   * The Python peers. `blasThreads`: implicit asks for 1 where it has threads of its own. Settings that pin OpenBLAS to an old processor are
   * lifted: the peer shall run as fast as it can.
   */
  static async peer(folder: string, threads: number, blasThreads: number): Promise<SideProcess> {
    const script = fileURLToPath(new URL('./peer.py', import.meta.url));
    const env = { OPENBLAS_NUM_THREADS: String(blasThreads), OMP_NUM_THREADS: String(threads) };
    return SideProcess.#start(await peerPython(), [script], folder, threads, env);
  }

  static #start(program: string, args: string[], folder: string, threads: number, more: object): SideProcess {
    const { OPENBLAS_CORETYPE: _core, OPENBLAS_L2_SIZE: _cache, ...rest } = process.env;
    const env = { ...rest, BENCH_THREADS: String(threads), ...more };
    return new SideProcess(spawn(program, args, { env, stdio: ['pipe', 'pipe', 'inherit'] }), folder);
  }

  async ask(op: string, more: object = {}): Promise<Answer> {
    this.#child.stdin!.write(`${JSON.stringify({ op, folder: this.#folder, ...more })}\n`);
    const { done, value } = await this.#lines.next();
    if (done) throw new Error(`the process of ${op} ended: ${this.#child.exitCode ?? this.#child.signalCode}`);
    return JSON.parse(value) as Answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const closed = once(this.#child, 'close');
    this.#child.stdin!.end();
    await closed;
  }
}
