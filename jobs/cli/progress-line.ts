/** Owns how progress is shown on stderr: a bar on a terminal, plain lines (at most one a second) elsewhere, nothing where a program reads. */
import type { OnProgress } from '../../shared/compute/task.ts';

const BAR_CELLS = 24;
const LINE_INTERVAL_MS = 1000;
const BAR_INTERVAL_MS = 50;

export class ProgressLine implements Disposable {
  readonly #quiet: boolean;
  readonly #stream: NodeJS.WriteStream;
  #shownAt = 0;
  #dirty = false;

  constructor(quiet: boolean, stream: NodeJS.WriteStream = process.stderr) {
    this.#quiet = quiet;
    this.#stream = stream;
  }

  /** What to pass as `onProgress`; the last report of a series (done = total) is always shown. */
  reporter(title: string): OnProgress {
    return ({ done, label, metrics, total }) => {
      if (this.#quiet) return;
      const now = performance.now();
      const interval = this.#stream.isTTY ? BAR_INTERVAL_MS : LINE_INTERVAL_MS;
      if (done < total && now - this.#shownAt < interval) return;
      this.#shownAt = now;
      const figures = Object.entries(metrics ?? {}).map(([name, value]) => `  ${name} ${value.toFixed(4)}`);
      this.#show(title, `${done}/${total} ${label}${figures.join('')}`, total > 0 ? done / total : 1);
    };
  }

  #show(title: string, text: string, share: number): void {
    if (!this.#stream.isTTY) {
      this.#stream.write(`${title}  ${text}\n`);
      return;
    }
    const cells = Math.round(share * BAR_CELLS);
    const bar = `${'#'.repeat(cells)}${' '.repeat(BAR_CELLS - cells)}`;
    this.#stream.write(`\r\u001B[K  ${title}  [${bar}] ${text}`);
    this.#dirty = true;
  }

  /** Leaves the bar's line. Idempotent. */
  [Symbol.dispose](): void {
    if (this.#dirty) this.#stream.write('\n');
    this.#dirty = false;
  }
}
