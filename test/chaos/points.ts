/** Owns the named places of an attempt as a worker process sees them: it announces each and waits for leave to go on. */
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import type { PointName } from './contracts.ts';

export class Points {
  readonly #folder: string;
  readonly #waiting = new Map<number, () => void>();
  #announced = 0;

  /** `folder` outlives the process. */
  constructor(folder: string) {
    this.#folder = folder;
    process.on('message', (message: HarnessMessage) => {
      if (message.type !== 'go') return;
      this.#waiting.get(message.n)?.();
      this.#waiting.delete(message.n);
    });
  }

  /** Resolves when the harness lets this attempt go on; it may end or freeze the process instead. */
  async reach(key: string, at: PointName): Promise<void> {
    const n = this.#announced++;
    const leave = new Promise<void>((resolve) => this.#waiting.set(n, resolve));
    await tell({ type: 'at', n, id: key, at });
    await leave;
  }

  /** True for the first process that asks by this name. */
  isFirst(name: string): boolean {
    try {
      closeSync(openSync(join(this.#folder, name), 'wx'));
      return true;
    } catch {
      return false;
    }
  }
}

/** What worker processes tell the harness. */
export type WorkerMessage =
  | { readonly type: 'ready'; readonly address?: string }
  /** Its clock has been shifted. */
  | { readonly type: 'clock' }
  | { readonly type: 'at'; readonly n: number; readonly id: string; readonly at: PointName }
  | { readonly type: 'ended'; readonly id: string };

/** What the harness tells worker processes. */
export type HarnessMessage =
  | { readonly type: 'go'; readonly n: number }
  /** From now on the clock is so far off. */
  | { readonly type: 'clock'; readonly shiftMs: number };

/** Resolves when the message has left this process. */
export function tell(message: WorkerMessage): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined) resolve();
    else process.send(message, undefined, {}, () => resolve());
  });
}
