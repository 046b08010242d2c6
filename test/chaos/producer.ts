/** Owns who asks in a chaos run: keyed jobs through the client, each until it is acknowledged, all of them remembered for the checker. */
import { createHash, randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Collection, Db } from 'mongodb';
import { connect } from '../../jobs/client/connect.ts';
import { makeJob } from '../../jobs/client/make-job.ts';
import { OUTBOX_FIELD, outboxEntry, type OutboxEntry } from '../../jobs/client/outbox.ts';
import { RedisTransport } from '../../jobs/client/redis-transport.ts';
import type { JobKind } from '../../jobs/registry.ts';
import { pipeline } from '../../jobs/pipeline/contract.ts';
import type { Contract } from '../../shared/contract-kit/define-job.ts';
import { DEFAULT_TENANT, jobIdOf, runKeyOf } from '../../shared/contract-kit/names.ts';
import { PURPOSES } from '../../shared/contract-kit/purposes.ts';
import { AppError, toAppError } from '../../shared/errors.ts';
import { TEST_KEYS } from '../services.ts';
import type { Asked } from './check.ts';
import { CHAOS_CONTRACTS, ORDERS } from './contracts.ts';
import type { GatewayCaller } from './gateway-caller.ts';
import type { JobPlan } from './schedule.ts';
import type { Strikes } from './strikes.ts';

const SOURCE = 'chaos';
const USERS = 12;
const EVENTS_A_BATCH = 5;
const AGAIN_MS = 200;
const DAY_MS = 86_400_000;

/** As the store names events: of the source and the caller's id, the first 16 bytes of SHA-256. */
const eventHash = (id: string): string => createHash('sha256').update(`${SOURCE}\0${id}`).digest('hex').slice(0, 32);

/** A document of a service, with an outbox entry until the relay has seen its run end. */
interface Order {
  readonly _id: string;
  readonly runKey: string;
  readonly [OUTBOX_FIELD]: OutboxEntry;
}

const keyOf = ({ kind, n }: JobPlan): string => (kind === 'ingestion' ? `events-${n}` : `job-${n}`);

/** Known before the job is asked for, so that its first attempt cannot slip by. */
function runKeyFor(plan: JobPlan): string {
  const key = keyOf(plan);
  if (plan.kind === 'ingestion') return runKeyOf(DEFAULT_TENANT, 'ingestion', `${key}.0`);
  return runKeyOf(DEFAULT_TENANT, plan.kind === 'publish' ? pipeline.kind : plan.kind, key);
}

export interface ProducerOptions {
  readonly redisUrl: string;
  readonly prefix: string;
  readonly db: Db;
  /** Absent: what is planned for it is added to Redis. */
  readonly gateway: GatewayCaller | undefined;
}

export class Producer implements AsyncDisposable {
  readonly asked: Asked[] = [];
  /** Hand-overs that Redis did not take the first time. */
  retries = 0;
  readonly #transport: RedisTransport;
  readonly #client: ReturnType<typeof connect>;
  readonly #startedAt = Date.now();

  readonly #orders: Collection<Order>;

  readonly #gateway: GatewayCaller | undefined;

  /** `db`: where services have their documents. */
  constructor({ redisUrl, prefix, db, gateway }: ProducerOptions) {
    this.#gateway = gateway;
    this.#orders = db.collection(ORDERS);
    this.#transport = new RedisTransport({ url: redisUrl, prefix, tenant: DEFAULT_TENANT });
    this.#client = connect({ redis: redisUrl, prefix, seal: TEST_KEYS.sealKeys });
  }

  /** Before anything is broken: people whose events may be taken in. */
  async prepare(): Promise<void> {
    const consents = Array.from({ length: USERS }, (_, n) => ({
      user: `user-${n}`,
      purposes: [...PURPOSES],
      source: SOURCE,
      at: this.#startedAt - DAY_MS,
    }));
    const handle = await this.#client.ingestion.enqueue({ source: SOURCE, consents }, { key: 'consents' });
    await handle.done({ timeoutMs: 60_000 });
  }

  /** Asks for a job until Redis has taken it. */
  async ask(plan: JobPlan, strikes: Strikes): Promise<void> {
    if (plan.strike !== undefined) strikes.plan({ ...plan.strike, key: runKeyFor(plan) });
    const asked = await this.#insist(() => this.#enqueue(plan));
    this.asked.push({ ...asked, at: Date.now() });
    if (plan.isRepeated) await this.#insist(() => this.#enqueue(plan));
    if (plan.isCancelled) await this.#insist(() => this.#transport.cancel(asked.runKey));
  }

  async #insist<T>(work: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await work();
      } catch (thrown) {
        if (toAppError(thrown).code !== 'SERVICE_UNAVAILABLE') throw thrown;
        this.retries++;
        await pause(AGAIN_MS);
      }
    }
  }

  async #enqueue(plan: JobPlan): Promise<Omit<Asked, 'at'>> {
    if (plan.kind === 'ingestion') return this.#ingest(plan);
    const asOf = this.#startedAt + Math.floor(plan.n / 20); // ties and an order
    if (plan.kind === 'publish') {
      const input = { publish: { parts: { dataset: `dataset-${plan.n}` }, asOf } };
      if (plan.via === 'direct') return this.#add(pipeline, input, plan.n, asOf);
      return this.#order(plan, outboxEntry('pipeline', input, { key: keyOf(plan), asOf }));
    }
    const contract = CHAOS_CONTRACTS[plan.kind];
    const asked = await this.#add(contract, 'input' in plan ? plan.input : { n: plan.n }, plan.n, asOf);
    if (!('input' in plan)) return asked;
    return { ...asked, isRefused: plan.input.fail === 'always', square: plan.n ** 2 };
  }

  async #add(contract: Contract, input: unknown, n: number, asOf: number): Promise<Omit<Asked, 'at'>> {
    const made = makeJob(contract, input, { tenant: DEFAULT_TENANT, key: `job-${n}`, asOf });
    if (!made.fits) throw new RangeError('a chaos job is small');
    // Chaos kinds are in no registry; the transport takes the name of the queue alone from it.
    await this.#transport.add(contract.kind as JobKind, [made.job]);
    const { runKey } = made.job.data;
    return { kind: contract.kind, effect: contract.effect, runKey, jobId: made.job.opts.jobId, isRefused: false };
  }

  /** In one write with the service's own document; the same again is another document with the same key. */
  async #order(plan: JobPlan, entry: OutboxEntry): Promise<Omit<Asked, 'at'>> {
    const runKey = runKeyFor(plan);
    try {
      await this.#orders.insertOne({ _id: randomUUID(), runKey, [OUTBOX_FIELD]: entry });
    } catch (cause) {
      throw new AppError('SERVICE_UNAVAILABLE', { cause });
    }
    const kind = plan.kind === 'publish' ? pipeline.kind : plan.kind;
    return { kind, effect: 'dataset', runKey, jobId: jobIdOf(runKey), isRefused: false, isKept: true };
  }

  async #ingest(plan: JobPlan): Promise<Omit<Asked, 'at'>> {
    const { n } = plan;
    const ids = Array.from({ length: EVENTS_A_BATCH }, (_, at) => `event-${n}-${at}`);
    const events = ids.map((id, at) => ({
      id,
      type: 'click' as const,
      user: `user-${(n + at) % USERS}`,
      item: `item-${at}`,
      occurredAt: this.#startedAt - 60_000 - at,
    }));
    const batch = { source: SOURCE, events, allowUnknownItems: true };
    if (plan.via === 'gateway' && this.#gateway !== undefined) {
      const taken = await this.#gateway.ingest(batch, keyOf(plan));
      return {
        kind: 'ingestion',
        effect: 'dataset',
        ...taken,
        isRefused: false,
        isKept: true,
        events: ids.map(eventHash),
      };
    }
    if (plan.via === 'outbox') {
      const entry = outboxEntry('ingestion', batch, { key: keyOf(plan), seal: TEST_KEYS.sealKeys });
      return { ...(await this.#order(plan, entry)), events: ids.map(eventHash) };
    }
    const { parts } = await this.#client.ingestion.enqueue(batch, { key: keyOf(plan) });
    const { id: jobId, runKey } = parts[0]!;
    return { kind: 'ingestion', effect: 'dataset', runKey, jobId, isRefused: false, events: ids.map(eventHash) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.close();
    await this.#transport.close();
  }
}
