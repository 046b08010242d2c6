/** Owns one client a tenant: the gateway enqueues as any service does, and stores what is too large itself. */
import type { SealRing } from '../../shared/contract-kit/seal.ts';
import { AppError } from '../../shared/errors.ts';
import type { Store } from '../../shared/store/ports.ts';
import type { Gateway } from '../client/job-client.ts';
import type { MadeJob } from '../client/make-job.ts';
import { buildMillrace, type Millrace } from '../client/millrace.ts';
import type { Transport } from '../client/transport.ts';

/** Tenants that one gateway process serves at once. */
const TENANTS_MAX = 200;

export interface Tenant {
  readonly client: Millrace;
  readonly transport: Transport;
}

export interface TenantsOptions {
  readonly store: Store;
  readonly ring: SealRing;
  readonly makeTransport: (tenant: string) => Transport;
  readonly now: () => number;
  /** W3C traceparent of the request at hand. */
  readonly trace: () => string | undefined;
  readonly enqueued: (jobs: readonly MadeJob[]) => void;
}

/** The client's gateway within the gateway: claims go straight into the store; reads are not for it. */
function ownGateway(store: Store, tenant: string): Gateway {
  const refuse = (): never => {
    throw new AppError('USAGE', { message: 'The gateway does not read through itself.' });
  };
  return {
    deadLetters: { page: async () => refuse(), show: async () => refuse(), redrive: async () => refuse() },
    consents: {
      of: async () => refuse(),
      give: async () => refuse(),
      withdraw: async () => refuse(),
      purposes: async () => refuse(),
    },
    putClaim: (body, runKey) => store.claims.put(tenant, Buffer.from(body), runKey),
    recommendations: async () => refuse(),
    segments: async () => refuse(),
    prompt: async () => refuse(),
    notePrompt: async () => refuse(),
    effects: async () => refuse(),
    releases: async () => refuse(),
    changeRelease: async () => refuse(),
  };
}

export class Tenants {
  readonly #options: TenantsOptions;
  readonly #open = new Map<string, Tenant>();

  constructor(options: TenantsOptions) {
    this.#options = options;
  }

  get(tenant: string): Tenant {
    const found = this.#open.get(tenant);
    if (found !== undefined) return found;
    if (this.#open.size >= TENANTS_MAX)
      throw new AppError('LIMIT_RATE', { message: 'This gateway serves as many tenants as it can.' });
    const { store, ring, makeTransport, now, trace, enqueued } = this.#options;
    const transport = makeTransport(tenant);
    const client = buildMillrace({
      transport,
      tenant,
      ring,
      gateway: ownGateway(store, tenant),
      nowMs: now,
      trace,
      enqueued,
    });
    const made = { client, transport };
    this.#open.set(tenant, made);
    return made;
  }

  async close(): Promise<void> {
    const open = [...this.#open.values()];
    this.#open.clear();
    await Promise.all(open.map(({ client }) => client.close()));
  }
}
