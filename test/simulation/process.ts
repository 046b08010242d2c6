/**
 * Owns one worker process of a simulated world: the real executor and processors over a store of their own, with caches of their own, whose every call is a
 * moment. When it dies, whatever it has begun stays as it is, for ever.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Db } from 'mongodb';
import type { Clock } from '../../shared/clock.ts';
import { inlinePool } from '../../shared/compute/pool.ts';
import type { ComputePool } from '../../shared/compute/task.ts';
import { sealRing } from '../../shared/contract-kit/seal.ts';
import { AppError } from '../../shared/errors.ts';
import type { AdmittedEvents } from '../../shared/numerics/interactions/columns.ts';
import { storeOver } from '../../shared/store/mongo/open.ts';
import type { RunDocument, Store } from '../../shared/store/ports.ts';
import { Telemetry } from '../../shared/telemetry/stream.ts';
import type { AloneCounts } from '../../workers/runtime/isolation.ts';
import type { CancelWatch } from '../../workers/runtime/cancellation.ts';
import { Executor } from '../../workers/runtime/executor.ts';
import { follow, type Relay } from '../../workers/runtime/follow.ts';
import { Isolation } from '../../workers/runtime/isolation.ts';
import { JobPayloads } from '../../workers/runtime/payloads.ts';
import type { AnyProcessor, Ports } from '../../workers/runtime/processor.ts';
import { silentLog, TEST_KEYS } from '../services.ts';
import type { Oracle, Watched } from './oracle.ts';
import type { Plant } from './plants.ts';
import type { SimulatedQueue } from './queue.ts';
import type { Mortal, Scheduler } from './scheduler.ts';

export const RING = sealRing(TEST_KEYS.sealKeys);
const INLINE = inlinePool();

/** What every process of a world shares. */
export interface Surroundings {
  readonly db: Db;
  readonly scheduler: Scheduler;
  readonly oracle: Oracle;
  readonly queue: SimulatedQueue;
  readonly clock: Clock;
  readonly processors: ReadonlyMap<string, AnyProcessor>;
  readonly relay: Relay;
  readonly plant: Plant;
  /** Runs that were cancelled, and the attempts at work. */
  readonly cancelled: Set<string>;
  /** What goes wrong with the next call, if anything. */
  readonly fault: () => 'before' | 'after' | undefined;
}

/** Answer at once, or one by one: no moments of their own. */
const UNGATED: ReadonlySet<string> = new Set(['keys', 'mark', 'publicKey', 'all']);
type Method = (...given: unknown[]) => unknown;

export class Process implements Mortal {
  isDead = false;
  readonly skewMs: number;
  readonly store: Store;
  readonly #around: Surroundings;
  readonly #attempt = new AsyncLocalStorage<Watched>();
  readonly #executors = new Map<string, Executor>();
  readonly #controllers = new Map<string, AbortController>();
  readonly #ports: Ports;

  constructor(around: Surroundings, skewMs: number) {
    this.#around = around;
    this.skewMs = skewMs;
    const { db, queue, processors, relay, plant } = around;
    const clock: Clock = { now: () => around.clock.now() + skewMs };
    const raw = plant.store(storeOver(db, { ...TEST_KEYS, clock: () => clock.now() }));
    this.store = this.#gated(raw);
    const contracts = new Map([...processors].map(([kind, { contract }]) => [kind, contract]));
    this.#ports = {
      store: this.store,
      pool: this.#watchedPool(),
      clock,
      log: silentLog,
      telemetry: new Telemetry(),
      codeVersion: 'simulated',
      payloads: this.#gatedPort('payloads', new JobPayloads(queue.enqueuer(contracts), raw.claims, RING)),
    };
    const counts = { begin: async () => {}, clear: async () => {} };
    const isolation = new Isolation(counts as unknown as AloneCounts);
    const cancels = this.#cancels();
    for (const [kind, processor] of processors) {
      const planted = plant.processor(processor);
      const options = { contract: processor.contract, ports: this.#ports, ring: RING, cancels, isolation, relay };
      this.#executors.set(kind, new Executor({ ...options, processor: planted }));
    }
  }

  #cancels(): CancelWatch {
    const { cancelled } = this.#around;
    return {
      watch: (runKey: string, controller: AbortController) => {
        this.#controllers.set(runKey, controller);
        return () => this.#controllers.delete(runKey);
      },
      isCancelled: async (runKey: string) => cancelled.has(runKey),
      refuseIfCancelled: async (runKey: string) => {
        if (cancelled.has(runKey)) throw new AppError('CANCELLED', { details: { runKey } });
      },
    } as unknown as CancelWatch;
  }

  /** What a thread is given is what is read. */
  #watchedPool(): ComputePool {
    const { scheduler, oracle } = this.#around;
    return {
      threads: 1,
      runPhase: (tasks, signal) => {
        for (const { payload } of tasks) {
          const events = admittedIn(payload);
          if (events !== undefined) oracle.read(this.#attempt.getStore(), events);
        }
        return scheduler.within(() => INLINE.runPhase(tasks, signal));
      },
    };
  }

  #gated(store: Store): Store {
    const ports = Object.entries(store).map(([name, port]) => [name, this.#gatedPort(name, port as object)] as const);
    return Object.fromEntries(ports) as unknown as Store;
  }

  #gatedPort<T extends object>(name: string, port: T): T {
    return new Proxy(port, {
      get: (target, property) => {
        const value: unknown = Reflect.get(target, property, target);
        const method = String(property);
        if (typeof value !== 'function' || UNGATED.has(method) || `${name}.${method}` === 'events.of') return value;
        return (...given: unknown[]) =>
          this.#moment(`${name}.${method}`, given, () => (value as Method).apply(target, given) as Promise<unknown>);
      },
    });
  }

  #moment(call: string, given: readonly unknown[], work: () => Promise<unknown>): Promise<unknown> {
    const { scheduler, oracle, fault } = this.#around;
    const attempt = this.#attempt.getStore();
    return scheduler.moment(this, async () => {
      const failing = fault();
      if (failing === 'before') throw new AppError('SERVICE_UNAVAILABLE');
      oracle.calling(call, given);
      const answer = await work();
      await oracle.called(attempt, call, given, answer);
      if (failing === 'after') throw new AppError('SERVICE_UNAVAILABLE');
      return answer;
    });
  }

  execute(kind: string, watched: Watched, ...[job, token]: Parameters<Executor['execute']>): Promise<unknown> {
    return this.#attempt.run(watched, () => this.#executors.get(kind)!.execute(job, token));
  }

  /** The lock of its job is lost, as the worker hears of it. */
  lose(kind: string, jobId: string): void {
    this.#executors.get(kind)!.lose([jobId]);
  }

  abort(runKey: string, code: 'CANCELLED' | 'DEADLINE_EXCEEDED'): void {
    this.#controllers.get(runKey)?.abort(new AppError(code));
  }

  /** Rolls a run forward that somebody else committed. */
  async follow(run: RunDocument): Promise<unknown> {
    const { processors, relay, plant } = this.#around;
    const processor = processors.get(run.kind);
    return follow(run, processor && plant.processor(processor), this.#ports, relay);
  }
}

/** The rows that a task is given, if it is given any, with who allows them. */
function admittedIn(payload: unknown): AdmittedEvents | undefined {
  if (typeof payload !== 'object' || payload === null) return undefined;
  if ('allowed' in payload && 'runs' in payload && 'sourceNames' in payload) return payload as AdmittedEvents;
  return 'events' in payload ? admittedIn(payload.events) : undefined;
}
