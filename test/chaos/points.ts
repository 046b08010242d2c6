/** Owns the blows that a worker process deals itself at a named place of an attempt: killed or frozen there, once per run. */
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import type { Blow, PointName } from './contracts.ts';

export class Points {
  readonly #folder: string;
  readonly #armed = new Map<string, Blow>();

  /** `folder` outlives the process: what has been dealt is not dealt again. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  arm(runKey: string, blow: Blow | undefined): void {
    if (blow !== undefined) this.#armed.set(runKey, blow);
  }

  /** Kills or freezes this process if that is due here. */
  async reach(runKey: string, at: PointName): Promise<void> {
    const blow = this.#armed.get(runKey);
    if (blow?.at !== at || !this.isFirst(`blow-${runKey}`)) return;
    this.#armed.delete(runKey);
    await tell({ type: 'blow', kind: blow.kind, ms: blow.ms });
    process.kill(process.pid, blow.kind === 'kill' ? 'SIGKILL' : 'SIGSTOP');
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
  | { readonly type: 'ready' }
  | { readonly type: 'started' | 'ended'; readonly id: string }
  | { readonly type: 'blow'; readonly kind: Blow['kind']; readonly ms: number };

/** Resolves when the message has left this process. */
export function tell(message: WorkerMessage): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined) resolve();
    else process.send(message, undefined, {}, () => resolve());
  });
}
