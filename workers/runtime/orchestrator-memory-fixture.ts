/**
 * Owns an orchestrator's surroundings in memory: every call to a port waits until the test lets it go on, in whatever order, so that
 * several advancers meet at every point where they can.
 */
import type { Redis } from 'ioredis';
import { setImmediate as settled } from 'node:timers/promises';
import type { Pipeline } from '../../jobs/define-pipeline.ts';
import type { PipelineRunDocument, RunDocument, Store } from '../../shared/store/ports.ts';
import { silentLog } from '../../test/services.ts';
import type { CancelWatch } from './cancellation.ts';
import type { Enqueuer } from './enqueuer.ts';
import { Orchestrator } from './orchestrator.ts';

/** The next of a stream of numbers, below `bound`. */
export type Pick = (bound: number) => number;

export class MemoryWorld {
  readonly runs = new Map<string, PipelineRunDocument>();
  readonly ledger = new Map<string, Recorded>();
  /** Jobs by run key, once however often they were added; their inputs, as often as they were. */
  readonly jobs = new Map<string, { readonly step: string; readonly inputs: unknown[] }>();
  readonly cancelled = new Set<string>();
  /** Told of every document that was written over another. */
  moved: (before: PipelineRunDocument, after: PipelineRunDocument) => unknown = () => {};
  /** Whether the next enqueue is lost, as by a crash after the document was written. */
  loses: () => boolean = () => false;
  readonly #waiting: (() => void)[] = [];

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Lets one of the calls that wait go on. */
  async letGo(pick: Pick): Promise<void> {
    this.#waiting.splice(pick(this.#waiting.length), 1)[0]?.();
    await settled();
  }

  async letAllGo(pick: Pick): Promise<void> {
    await settled();
    while (this.waiting > 0) await this.letGo(pick);
  }

  #point(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  /** One process. */
  orchestrator(pipelineOf: (name: string) => Pipeline): Orchestrator {
    const store = {
      pipelineRuns: {
        create: async (run: PipelineRunDocument) => {
          await this.#point();
          if (!this.runs.has(run.id)) this.runs.set(run.id, run);
        },
        read: async (id: string) => {
          await this.#point();
          return structuredClone(this.runs.get(id));
        },
        advance: async (before: PipelineRunDocument, after: PipelineRunDocument) => {
          await this.#point();
          const now = this.runs.get(before.id);
          if (now?.seq !== before.seq) return false;
          const next = structuredClone({ ...after, seq: before.seq + 1 });
          this.runs.set(before.id, next);
          this.moved(now, next);
          return true;
        },
      },
      ledger: {
        read: async (runKey: string) => {
          await this.#point();
          return this.ledger.get(runKey);
        },
      },
      releases: { live: async () => undefined },
    };
    const enqueuer = {
      enqueue: async (_kind: string, input: unknown, { runKey, step }: { runKey: string; step: { step: string } }) => {
        await this.#point();
        if (this.loses()) throw new Error('killed before the job was there');
        const job = this.jobs.get(runKey) ?? { step: step.step, inputs: [] };
        job.inputs.push(input);
        this.jobs.set(runKey, job);
      },
    };
    const cancels = {
      isCancelled: async (name: string) => {
        await this.#point();
        return this.cancelled.has(name);
      },
      cancel: async (name: string) => {
        await this.#point();
        this.cancelled.add(name);
      },
    };
    const multi = { hset: () => multi, expire: () => multi, publish: () => multi, exec: async () => [] };
    return new Orchestrator({
      store: store as unknown as Store,
      redis: { multi: () => multi } as unknown as Redis,
      prefix: 'memory',
      enqueuer: enqueuer as unknown as Enqueuer,
      cancels: cancels as unknown as CancelWatch,
      log: silentLog,
      pipelineOf,
    });
  }
}

type Recorded = { readonly state: RunDocument['state']; readonly followed: boolean } & Partial<RunDocument>;
