/**
 * Owns what a process knows of its own health: when each service answered last, and whether that is recent enough. Asking goes on in the
 * background, so that a probe costs nothing and one that hangs is seen as silence.
 */

export interface HealthCheck {
  readonly name: string;
  /** An answer older than this does not count any more. */
  readonly windowMs: number;
  /** `live`: without it the process is of no use and may be started again. `ready`: it waits for better times. */
  readonly needed: 'live' | 'ready';
  /** A round trip; rejecting or hanging is silence. */
  readonly ask?: () => Promise<unknown>;
  /** In place of `ask`: the moment of the last answer, by `performance.now()`, where others keep it. */
  readonly answeredAt?: () => number;
}

export interface HealthReport {
  readonly ok: boolean;
  readonly state: 'starting' | 'started' | 'stopping';
  readonly checks: readonly {
    readonly name: string;
    readonly ok: boolean;
    readonly ageMs: number;
    readonly windowMs: number;
  }[];
}

/** So often within a window a service is asked. */
const ASKS_PER_WINDOW = 4;
const CHECKS_MAX = 64;

interface Watched extends HealthCheck {
  at: number;
  isAsking: boolean;
}

export class Health implements Disposable {
  readonly #checks: Watched[] = [];
  readonly #timers: NodeJS.Timeout[] = [];
  #state: HealthReport['state'] = 'starting';

  /** Counts as answered now: whoever adds a check has just connected. */
  watch(check: HealthCheck): void {
    if (this.#checks.length >= CHECKS_MAX) throw new RangeError(`at most ${CHECKS_MAX} health checks`);
    const watched: Watched = { ...check, at: performance.now(), isAsking: false };
    this.#checks.push(watched);
    if (check.ask === undefined) return;
    const timer = setInterval(() => void this.#ask(watched), check.windowMs / ASKS_PER_WINDOW);
    timer.unref();
    this.#timers.push(timer);
  }

  /** One question at a time: a service that hangs is not asked again until it has answered. */
  async #ask(check: Watched): Promise<void> {
    if (check.isAsking) return;
    check.isAsking = true;
    try {
      await check.ask?.();
      check.at = performance.now();
    } catch {
      // Silence is what an old answer means.
    } finally {
      check.isAsking = false;
    }
  }

  started(): void {
    if (this.#state === 'starting') this.#state = 'started';
  }

  stopping(): void {
    this.#state = 'stopping';
  }

  /** Whether the process should be left alone: nothing it cannot do without has been silent for too long. */
  live(): HealthReport {
    return this.#report(
      this.#checks.filter(({ needed }) => needed === 'live'),
      true,
    );
  }

  /** Whether it should be given work. */
  ready(): HealthReport {
    return this.#report(this.#checks, this.#state === 'started');
  }

  startup(): HealthReport {
    return this.#report([], this.#state !== 'starting');
  }

  #report(checks: readonly Watched[], isUp: boolean): HealthReport {
    const now = performance.now();
    const reports = checks.map(({ name, windowMs, at, answeredAt }) => {
      const ageMs = Math.max(0, Math.round(now - (answeredAt?.() ?? at)));
      return { name, ok: ageMs <= windowMs, ageMs, windowMs };
    });
    return { ok: isUp && reports.every(({ ok }) => ok), state: this.#state, checks: reports };
  }

  [Symbol.dispose](): void {
    for (const timer of this.#timers) clearInterval(timer);
  }
}
