/**
 * Owns the end of payload claims: one goes when no run needs it any more, and never because of its age alone. A run needs its claim while
 * it waits in its queue or works, and after a dead letter until the redrive window has closed.
 */
import { REDRIVE_WINDOW_MS } from '../../shared/contract-kit/define-job.ts';
import { jobIdOf } from '../../shared/contract-kit/names.ts';
import type { StoredClaim } from '../../shared/store/ports.ts';
import type { Enqueuer } from './enqueuer.ts';
import type { Ports } from './processor.ts';

const CLAIMS_MAX = 100;
/** A claim that is needed now is looked at again after this long. */
const AGAIN_MS = 5 * 60_000;
/** A claim of which no run is known yet (uploaded, its job not enqueued) is kept for so long. */
export const UNBOUND_GRACE_MS = 24 * 3600_000;

export class ClaimCollector {
  readonly #enqueuer: Enqueuer;
  readonly #ports: Pick<Ports, 'store' | 'clock' | 'log'>;

  constructor(enqueuer: Enqueuer, ports: Pick<Ports, 'store' | 'clock' | 'log'>) {
    this.#enqueuer = enqueuer;
    this.#ports = ports;
  }

  /** Looks at the claims that are due, and removes those that nobody needs. */
  async sweep(): Promise<void> {
    const { store, clock, log } = this.#ports;
    const now = clock.now();
    for (const claim of await store.claims.due(now, CLAIMS_MAX)) {
      const needed = await this.#neededUntil(claim, now);
      if (needed > now) {
        await store.claims.keep(claim.tenant, claim.id, needed);
        continue;
      }
      await store.claims.remove(claim);
      log.debug({ claim: claim.id, runs: claim.runs }, 'a payload that no run needs any more was removed');
    }
  }

  /** Moment of the next look at a claim that is needed; 0: it is not. */
  async #neededUntil({ runs, storedAt }: StoredClaim, now: number): Promise<number> {
    const needs = await Promise.all(runs.map((runKey) => this.#neededBy(runKey, now)));
    const known = needs.filter((need) => need !== undefined);
    if (known.length === 0)
      return now - storedAt < UNBOUND_GRACE_MS ? Math.min(now + AGAIN_MS, storedAt + UNBOUND_GRACE_MS) : 0;
    return Math.max(...known);
  }

  /** As above, for one run; undefined: nobody knows that run. */
  async #neededBy(runKey: string, now: number): Promise<number | undefined> {
    const run = await this.#ports.store.ledger.read(runKey);
    if (run?.state === 'running') return now + AGAIN_MS;
    if (run !== undefined) {
      const isRedrivable = run.state === 'dead-lettered' || run.state === 'expired';
      const until = (run.endedAt ?? now) + REDRIVE_WINDOW_MS;
      if (!isRedrivable || until <= now) return this.#inQueue(runKey, now, 0);
      return until;
    }
    return this.#inQueue(runKey, now, undefined);
  }

  /** A job that has not ended needs its claim, also when the ledger has heard of an earlier end (a redrive under way). */
  async #inQueue<T>(runKey: string, now: number, otherwise: T): Promise<number | T> {
    const kind = runKey.split('.')[1] ?? '';
    if (!this.#enqueuer.kinds.includes(kind)) return now + AGAIN_MS; // a newer process knows it
    const job = await this.#enqueuer.queue(kind).getJob(jobIdOf(runKey));
    return job !== undefined && job.finishedOn === undefined ? now + AGAIN_MS : otherwise;
  }
}
