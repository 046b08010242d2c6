/** Owns progress for people: one bar that rewrites its line on a terminal; elsewhere a plain line every ten per cent. */

const WIDTH = 24;
const INTERVAL_MS = 80;

export interface ProgressBar {
  update(done: number, total: number, label?: string): void;
  /** Ends the bar with a closing word (`18 s`); the line stays. */
  end(closing: string): void;
}

export interface BarOptions {
  readonly title: string;
  /** `--json` and quiet callers see nothing. */
  readonly silent?: boolean;
  readonly stream?: NodeJS.WriteStream;
}

export function progressBar({ title, silent = false, stream = process.stderr }: BarOptions): ProgressBar {
  const head = title.padEnd(20);
  if (silent) return { update() {}, end() {} };
  return stream.isTTY ? terminalBar(head, stream) : plainLines(head, stream);
}

/** What stands behind the bar: the figures that a job tells beside its progress (loss, accuracy on a validation part), else the unit. */
export function tailOf({
  label,
  metrics = {},
}: {
  readonly label: string;
  readonly metrics?: Readonly<Record<string, number>> | undefined;
}): string {
  const figures = Object.entries(metrics).map(([name, value]) => `${name} ${Number(value.toPrecision(4))}`);
  return figures.length === 0 ? label : figures.join('  ');
}

function shareOf(done: number, total: number): number {
  return total > 0 ? Math.min(1, done / total) : 0;
}

function terminalBar(head: string, stream: NodeJS.WriteStream): ProgressBar {
  let lastMs = 0;
  const draw = (share: number, tail: string): void => {
    const filled = Math.round(share * WIDTH);
    const line = `  ${head} [${'#'.repeat(filled)}${' '.repeat(WIDTH - filled)}] ${String(Math.floor(share * 100)).padStart(3)} %  ${tail}`;
    stream.write(`\r\u001b[2K${line.slice(0, (stream.columns ?? 100) - 1)}`);
  };
  return {
    update(done, total, label = '') {
      const now = Date.now();
      if (now - lastMs < INTERVAL_MS) return;
      lastMs = now;
      draw(shareOf(done, total), label);
    },
    end(closing) {
      draw(1, closing);
      stream.write('\n');
    },
  };
}

function plainLines(head: string, stream: NodeJS.WriteStream): ProgressBar {
  let tenth = 0;
  return {
    update(done, total, label = '') {
      const reached = Math.floor(shareOf(done, total) * 10);
      if (reached <= tenth || reached >= 10) return;
      tenth = reached;
      stream.write(`  ${head} ${reached * 10} % ${label}\n`);
    },
    end(closing) {
      stream.write(`  ${head} ${closing}\n`);
    },
  };
}
