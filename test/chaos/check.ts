/**
 * Owns the judgement of a chaos run. It reads MongoDB with the plain driver and Redis with ioredis and shares no code with what it
 * judges: names of collections, fields and keys are written down here a second time.
 *
 * What must hold once nothing moves any more
 * 1. Every job that was asked for has ended in exactly one terminal state: of the ledger, or of BullMQ for the effect class `none`.
 * 2. Its effect is there exactly once if that state is `committed`, and not at all otherwise.
 * 3. No run is left running, no ended run unfollowed, no pipeline run unfinished, no queue with anything in it.
 * 4. The release pointer has moved once per run that says it published.
 * Where Redis was free to forget (a failover, an emptied Redis), a job of that time may have left no trace; such jobs are counted.
 */
import type { Redis } from 'ioredis';
import type { Db } from 'mongodb';
import { storedEvents } from './stored-events.ts';

/** What a producer remembers of a job that was acknowledged. */
export interface Asked {
  readonly kind: string;
  readonly effect: 'none' | 'record' | 'dataset';
  readonly runKey: string;
  readonly jobId: string;
  /** When Redis acknowledged it. */
  readonly at: number;
  /** Its processor refuses it: it must not have an effect. */
  readonly isRefused: boolean;
  /** It was written into an outbox, or answered by the gateway: Redis may forget it, Millrace may not. */
  readonly isKept?: boolean;
  /** The output that it must have. */
  readonly square?: number;
  /** Ids of the events that it carries, hex. */
  readonly events?: readonly string[];
}

export type ViolationSort = 'lost' | 'doubled' | 'stuck';
export interface Violation {
  readonly sort: ViolationSort;
  readonly what: string;
}

export interface Judgement {
  readonly violations: readonly Violation[];
  /** Jobs by terminal state, dead letters by code; those of class `none` by BullMQ's state. */
  readonly states: Readonly<Record<string, number>>;
  /** Jobs that BullMQ still holds as waiting, delayed or active. */
  readonly queued: number;
  /** Jobs without a trace that Redis was free to forget. */
  readonly forgotten: number;
}

/** A time in which Redis may have forgotten what it acknowledged: what was asked for then may be gone without a trace. */
interface Forgetting {
  readonly from: number;
  readonly until: number;
}

export interface CheckOptions {
  readonly db: Db;
  readonly redis: Redis;
  readonly prefix: string;
  readonly tenant: string;
  readonly masterKey: Uint8Array;
  readonly asked: readonly Asked[];
  readonly forgettings: readonly Forgetting[];
  /** Jobs whose completion a worker process has heard of: all that is left of those of class `none` when Redis was emptied. */
  readonly heard: ReadonlySet<string>;
}

interface Run {
  readonly _id: string;
  readonly kind: string;
  readonly state: string;
  readonly followed: boolean;
  readonly error?: { readonly code: string } | null;
  readonly version?: string | null;
  readonly output?: {
    readonly square?: number;
    readonly run?: string;
    readonly release?: { readonly live: boolean };
  } | null;
}

interface PipelineRun {
  readonly _id: string;
  readonly state: string;
  readonly steps: Readonly<Record<string, { readonly state: string; readonly runKey?: string }>>;
}
/** The step that becomes three others; it has no job of its own. */
const FAN = 'parts';
const FANNED = ['parts[0]', 'parts[1]', 'parts[2]'];

/** Where BullMQ has each job of a kind. */
interface QueueView {
  readonly completed: ReadonlySet<string>;
  readonly failed: ReadonlySet<string>;
  readonly moving: ReadonlySet<string>;
}

async function viewQueue(redis: Redis, prefix: string, kind: string): Promise<QueueView> {
  const key = (name: string): string => `${prefix}:${kind}:${name}`;
  const [completed, failed, delayed, prioritized, wait, active, paused] = await Promise.all([
    ...['completed', 'failed', 'delayed', 'prioritized'].map((name) => redis.zrange(key(name), '0', '-1')),
    ...['wait', 'active', 'paused'].map((name) => redis.lrange(key(name), 0, -1)),
  ]);
  const moving = [delayed, prioritized, wait, active, paused].flatMap((ids) => ids ?? []);
  return { completed: new Set(completed), failed: new Set(failed), moving: new Set(moving) };
}

class Check {
  readonly #options: CheckOptions;
  readonly #violations: Violation[] = [];
  #forgotten = 0;
  readonly #states: Record<string, number> = {};
  readonly #queues = new Map<string, QueueView>();
  readonly #runs = new Map<string, Run>();
  /** Versions that were named, by run key. */
  readonly #effects = new Map<string, string[]>();

  constructor(options: CheckOptions) {
    this.#options = options;
  }

  async judge(): Promise<Judgement> {
    const { db, redis, prefix, asked } = this.#options;
    const kinds = new Set([...asked.map(({ kind }) => kind), 'chaos-dataset']);
    for (const kind of kinds) this.#queues.set(kind, await viewQueue(redis, prefix, kind));
    for (const run of await db.collection<Run>('runs').find().toArray()) this.#runs.set(run._id, run);
    const effects = await db.collection<{ runKey: string; version: string }>('chaos_effects').find().toArray();
    for (const { runKey, version } of effects)
      this.#effects.set(runKey, [...(this.#effects.get(runKey) ?? []), version]);
    for (const job of asked) this.#judgeJob(job);
    for (const run of this.#runs.values()) this.#judgeRun(run);
    for (const runKey of this.#effects.keys())
      if (!this.#runs.has(runKey)) this.#violate('doubled', `${runKey}: an effect without a run`);
    await this.#judgeEvents();
    await this.#judgeOutbox();
    await this.#judgePipelines();
    await this.#judgeReleases();
    const queued = [...this.#queues.values()].reduce((sum, { moving }) => sum + moving.size, 0);
    if (queued > 0) this.#violate('stuck', `${queued} jobs are in the queues`);
    return { violations: this.#violations, states: this.#states, queued, forgotten: this.#forgotten };
  }

  #violate(sort: ViolationSort, what: string): void {
    this.#violations.push({ sort, what });
  }

  #count(state: string): void {
    this.#states[state] = (this.#states[state] ?? 0) + 1;
  }

  #mayBeForgotten({ at, isKept = false }: Asked): boolean {
    return !isKept && this.#options.forgettings.some(({ from, until }) => from <= at && at <= until);
  }

  #judgeJob(job: Asked): void {
    const { kind, effect, jobId, runKey, isRefused, square } = job;
    const { completed, failed, moving } = this.#queues.get(kind)!;
    const ends = Number(completed.has(jobId)) + Number(failed.has(jobId));
    const where = `${kind} ${runKey}`;
    if (ends > 1) this.#violate('doubled', `${where}: completed and failed`);
    if (ends === 0 && !moving.has(jobId) && !this.#runs.has(runKey) && this.#mayBeForgotten(job)) {
      if (effect === 'none' && this.#options.heard.has(runKey)) this.#count('completed, then forgotten');
      else this.#forgotten++;
      return;
    }
    if (effect === 'none') {
      if (ends === 0) this.#violate(moving.has(jobId) ? 'stuck' : 'lost', `${where}: has not ended`);
      if (completed.has(jobId) && isRefused) this.#violate('doubled', `${where}: refused and completed`);
      this.#count(completed.has(jobId) ? 'completed' : 'failed');
      return;
    }
    const run = this.#runs.get(runKey);
    if (run === undefined) {
      this.#violate(moving.has(jobId) ? 'stuck' : 'lost', `${where}: the ledger knows nothing of it`);
      return;
    }
    this.#count(run.state === 'dead-lettered' ? `dead-lettered as ${run.error?.code}` : run.state);
    if (job.isKept === true && run.error?.code === 'INTERNAL' && run.state === 'dead-lettered')
      this.#violate('lost', `${where}: Redis forgot it, and its outbox did not bring it back`);
    if (completed.has(jobId) && run.state !== 'committed')
      this.#violate('lost', `${where}: acknowledged, but ${run.state}`);
    if (run.state !== 'committed') return;
    if (isRefused) this.#violate('doubled', `${where}: refused and committed`);
    if (square !== undefined && run.output?.square !== square)
      this.#violate('lost', `${where}: committed another output`);
  }

  #judgeRun({ _id, kind, state, followed, version }: Run): void {
    const where = `${kind} ${_id}`;
    if (state === 'running') this.#violate('stuck', `${where}: still running`);
    else if (!followed) this.#violate('stuck', `${where}: ${state}, but not followed`);
    // A record is its own effect: a second document beside the one of the run key is a second effect.
    if (_id.includes('#')) this.#violate('doubled', `${where}: a second record`);
    if (kind !== 'chaos-dataset') return;
    const named = this.#effects.get(_id) ?? [];
    if (state !== 'committed' && named.length > 0) this.#violate('doubled', `${where}: ${state}, with an effect`);
    if (named.length > 1) this.#violate('doubled', `${where}: ${named.length} effects`);
    if (state === 'committed' && named[0] !== version)
      this.#violate('lost', `${where}: committed, but its version is not the one named`);
  }

  async #judgeEvents(): Promise<void> {
    const stored = await storedEvents(this.#options.db, this.#options.masterKey);
    for (const { runKey, events = [] } of this.#options.asked) {
      const run = this.#runs.get(runKey);
      for (const id of events) {
        const times = stored.get(id) ?? 0;
        stored.delete(id);
        const due = run?.state === 'committed' ? 1 : 0;
        if (times === due || (due === 1 && run?.followed === false)) continue;
        this.#violate(times > due ? 'doubled' : 'lost', `event ${id} of ${runKey} (${run?.state}): ${times} times`);
      }
    }
    if (stored.size > 0) this.#violate('doubled', `${stored.size} events that nobody asked for`);
  }

  /** Entries go once their runs have ended. */
  async #judgeOutbox(): Promise<void> {
    const { db } = this.#options;
    const entries = async (name: string) =>
      db
        .collection<{ runKey?: string; millrace: { error?: { code: string } } }>(name)
        .find({ millrace: { $exists: true } })
        .toArray();
    // The gateway's own entries are named by their runs.
    for (const { _id, runKey = String(_id), millrace } of [
      ...(await entries('chaos_orders')),
      ...(await entries('outbox')),
    ]) {
      const { error } = millrace;
      if (error === undefined) this.#violate('stuck', `${runKey}: its outbox entry is still there`);
      else this.#violate('lost', `${runKey}: its outbox entry was parked as ${error.code}`);
    }
  }

  async #judgePipelines(): Promise<void> {
    const found = await this.#options.db.collection<PipelineRun>('pipeline_runs').find().toArray();
    const ids = new Set(found.map(({ _id }) => _id));
    for (const { _id, state, steps } of found) {
      if (state === 'running') this.#violate('stuck', `pipeline run ${_id}: still running`);
      for (const [name, step] of Object.entries(steps))
        if (step.state === 'committed' && name !== FAN && this.#runs.get(step.runKey ?? '')?.state !== 'committed')
          this.#violate('lost', `pipeline run ${_id}: step ${name} has committed without its run`);
      if (state === 'committed') this.#judgeFan(_id, steps);
    }
    for (const { kind, state, followed, output } of this.#runs.values())
      if (kind === 'chaos-start' && state === 'committed' && followed && !ids.has(output?.run ?? ''))
        this.#violate('lost', `pipeline run ${output?.run}: was started and is not there`);
  }

  /** Of a run that has committed: the steps that were made as it ran are these three, and the last one has the outputs of all. */
  #judgeFan(id: string, steps: PipelineRun['steps']): void {
    const names = Object.keys(steps).filter((name) => name.startsWith(`${FAN}[`));
    if (names.toSorted().join() !== FANNED.join())
      this.#violate('lost', `pipeline run ${id}: has the steps ${names.join(', ')}`);
    const squareOf = (name: string): number => this.#runs.get(steps[name]?.runKey ?? '')?.output?.square ?? Number.NaN;
    const joined = squareOf('join');
    const parts = FANNED.map((_, part) => ((joined + part) % 1000) ** 2);
    const sum = parts.reduce((total, square) => total + square, 0) % 1000;
    if (squareOf('sum') !== sum ** 2 || FANNED.some((name, part) => squareOf(name) !== parts[part]))
      this.#violate('lost', `pipeline run ${id}: its last step did not get what the three before it made`);
  }

  async #judgeReleases(): Promise<void> {
    const { db, tenant } = this.#options;
    const pointer = await db.collection<{ _id: string; seq: number }>('pointers').findOne({ _id: `${tenant}.release` });
    const published = [...this.#runs.values()].filter(
      ({ kind, output }) => kind === 'pipeline' && output?.release?.live === true,
    );
    const seq = pointer?.seq ?? 0;
    if (seq > published.length) this.#violate('doubled', `the pointer moved ${seq} times for ${published.length} runs`);
    if (seq < published.length) this.#violate('lost', `the pointer moved ${seq} times for ${published.length} runs`);
  }
}

/** Judges what is in the stores now. */
export function check(options: CheckOptions): Promise<Judgement> {
  return new Check(options).judge();
}
