/** Owns the port of webhooks: addresses that are told of ended runs. */
import type { RunState } from './runs.ts';

export type EndState = Exclude<RunState, 'running'>;

export interface Webhook {
  readonly id: string;
  readonly tenant: string;
  readonly url: string;
  /** Kinds of runs; empty: all. */
  readonly kinds: readonly string[];
  /** How runs ended; empty: all ways. */
  readonly states: readonly EndState[];
  readonly createdAt: number;
}

export interface Webhooks {
  /** Returns the secret once; the store keeps it encrypted. Throws INPUT_INVALID when the tenant has as many as it may. */
  create(
    tenant: string,
    what: Pick<Webhook, 'url' | 'kinds' | 'states'>,
  ): Promise<{ readonly webhook: Webhook; readonly secret: string }>;
  list(tenant: string): Promise<Webhook[]>;
  /** With the secret, for signing; undefined: it was removed. */
  read(tenant: string, id: string): Promise<{ readonly webhook: Webhook; readonly secret: string } | undefined>;
  /** False: there is no such one. */
  remove(tenant: string, id: string): Promise<boolean>;
}
