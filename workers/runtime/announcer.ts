/**
 * Owns telling webhooks of ended runs: for each registration that asks for it, a delivery is enqueued as an ordinary job before the
 * ledger takes note that the run was followed. So it is told again until it is enqueued, and written down so that Redis may forget it.
 */
import { hash } from 'node:crypto';
import { entryOfJob } from '../../jobs/client/outbox.ts';
import { webhookDelivery } from '../../jobs/webhook-delivery/contract.ts';
import type { Clock } from '../../shared/clock.ts';
import type { EndState, RunDocument, Store, Webhook } from '../../shared/store/ports.ts';
import type { Enqueuer } from './enqueuer.ts';

/** A registration is heard of after this long at most. */
const REGISTRATIONS_MS = 5_000;
const TENANTS_MAX = 1_000;

interface Known {
  readonly at: number;
  readonly webhooks: Promise<readonly Webhook[]>;
}

export class Announcer {
  readonly #store: Pick<Store, 'webhooks' | 'journal'>;
  readonly #enqueuer: Enqueuer;
  readonly #clock: Clock;
  readonly #known = new Map<string, Known>();

  constructor(store: Pick<Store, 'webhooks' | 'journal'>, enqueuer: Enqueuer, clock: Clock) {
    this.#store = store;
    this.#enqueuer = enqueuer;
    this.#clock = clock;
  }

  /** Whether anybody wants to hear of runs of this kind. */
  async isWanted(tenant: string, kind: string): Promise<boolean> {
    if (kind === webhookDelivery.kind) return false;
    return (await this.#webhooksOf(tenant)).some(({ kinds }) => kinds.length === 0 || kinds.includes(kind));
  }

  /** Enqueues the deliveries of an ended run. Idempotent. */
  async announce(run: RunDocument): Promise<void> {
    const { tenant, kind, state, runKey, redrivenAt } = run;
    // Each end of a run that was redriven is another one to tell.
    const end = redrivenAt === undefined ? runKey : `${runKey}.${redrivenAt}`;
    if (state === 'running' || !(await this.isWanted(tenant, kind))) return;
    for (const webhook of await this.#webhooksOf(tenant))
      if (wants(webhook, kind, state)) await this.#enqueue(webhook, run, state, `${webhook.id}.${end}`);
  }

  async #enqueue(webhook: Webhook, run: RunDocument, state: EndState, key: string): Promise<void> {
    const { tenant, kind, runKey, asOf, version, error, step, endedAt = asOf } = run;
    const input = {
      webhook: webhook.id,
      runKey,
      kind,
      state,
      endedAt,
      asOf,
      ...(version === undefined ? {} : { version }),
      ...(error === undefined ? {} : { code: error.code }),
      ...(step === undefined ? {} : { step }),
    };
    const job = this.#enqueuer.make(webhookDelivery.kind, input, { tenant, key: hash('sha256', key), asOf });
    await this.#store.journal.write([{ runKey: job.data.runKey, entry: entryOfJob(job, this.#clock.now()) }]);
    await this.#enqueuer.add({ ...job, backlogMax: 0 });
  }

  #webhooksOf(tenant: string): Promise<readonly Webhook[]> {
    const now = this.#clock.now();
    const known = this.#known.get(tenant);
    if (known !== undefined && now - known.at < REGISTRATIONS_MS) return known.webhooks;
    if (this.#known.size >= TENANTS_MAX) this.#known.clear();
    const webhooks = this.#store.webhooks.list(tenant);
    this.#known.set(tenant, { at: now, webhooks });
    webhooks.catch(() => this.#known.delete(tenant));
    return webhooks;
  }
}

const wants = ({ kinds, states }: Webhook, kind: string, state: EndState): boolean =>
  (kinds.length === 0 || kinds.includes(kind)) && (states.length === 0 || states.includes(state));
