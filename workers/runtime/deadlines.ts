/**
 * Owns how long an attempt may take, and how long it may be silent. Signs of life come by themselves: progress, a verb that ends, tasks that begin and
 * end in threads, and the threads at work, which answer while their code runs. What hangs (a call that never answers, a thread that waits) gives none.
 */
import type { JobLimits } from '../../shared/contract-kit/define-job.ts';
import { AppError } from '../../shared/errors.ts';

/** What was aborted gets so long to end by itself; then nobody waits for it any more. */
const ABANDON_MS = 5_000;
/** Where the event loop was held up, signs of life wait to be heard. */
const SECOND_LOOK_MS = 500;

type Limits = Pick<JobLimits, 'durationMsMax' | 'heartbeatMsMax'>;

export class Deadlines {
  readonly #controller: AbortController;
  readonly #limits: Limits;
  readonly #begunAt = performance.now();
  #heardAt = this.#begunAt;
  /** One for whichever limit comes first: on the path of every job. */
  #timer: NodeJS.Timeout;
  #abandon: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(controller: AbortController, limits: Limits) {
    this.#controller = controller;
    this.#limits = limits;
    this.#timer = setTimeout(() => this.#look(), Math.min(limits.durationMsMax, limits.heartbeatMsMax));
  }

  /** A sign of life. */
  readonly beat = (): void => {
    this.#heardAt = performance.now();
  };

  #look(isSecond = false): void {
    const now = performance.now();
    const leftMs = this.#begunAt + this.#limits.durationMsMax - now;
    const silenceMs = this.#heardAt + this.#limits.heartbeatMsMax - now;
    if (leftMs <= 0) this.#abort('DEADLINE_EXCEEDED', this.#limits.durationMsMax);
    else if (silenceMs > 0) this.#timer = setTimeout(() => this.#look(), Math.min(leftMs, silenceMs));
    else if (isSecond) this.#abort('HEARTBEAT_MISSED', this.#limits.heartbeatMsMax);
    else this.#timer = setTimeout(() => this.#look(true), Math.min(leftMs, SECOND_LOOK_MS));
  }

  #abort(code: 'DEADLINE_EXCEEDED' | 'HEARTBEAT_MISSED', limitMs: number): void {
    this.#controller.abort(new AppError(code, { details: { limitMs } }));
  }

  /** What the work gives; once it was aborted and does not end by itself, the reason of that. */
  hold<T>(work: Promise<T>): Promise<T> {
    const { signal } = this.#controller;
    return new Promise<T>((resolve, reject) => {
      work.then(resolve, reject); // abandoned, it may end however it likes
      const onAbort = (): void => {
        if (!this.#isOver) this.#abandon = setTimeout(() => reject(signal.reason as Error), ABANDON_MS);
      };
      if (signal.aborted) onAbort();
      else signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  end(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#abandon);
  }
}
