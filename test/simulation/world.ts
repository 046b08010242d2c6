/**
 * Owns one simulated world from its first job to its last: a few people, a few processes that may die, a queue that delivers at least once, and an order of
 * everything that is drawn from the seed. It ends when nothing is left to do; then what is left of whom is judged.
 */
import { DelayedError } from 'bullmq';
import { setTimeout as delay } from 'node:timers/promises';
import { makeJob } from '../../jobs/client/make-job.ts';
import { openInput } from '../../jobs/client/open-input.ts';
import { manualClock } from '../../shared/clock.ts';
import type { RandomStream } from '../../shared/random.ts';
import { randomStream } from '../../shared/random.ts';
import { storeOver } from '../../shared/store/mongo/open.ts';
import type { Intent, Store } from '../../shared/store/ports.ts';
import type { AnyProcessor } from '../../workers/runtime/processor.ts';
import { decodedStore } from '../decoding.ts';
import { TEST_KEYS } from '../services.ts';
import { type Asked, beginning, nextAct, pick, SOURCES, USERS } from './acts.ts';
import { memoryDb } from './memory-db.ts';
import { Oracle, type Violation, type Watched } from './oracle.ts';
import { type PlantName, PLANTS } from './plants.ts';
import { Process, RING, type Surroundings } from './process.ts';
import { type SimulatedJob, SimulatedQueue } from './queue.ts';
import { Scheduler } from './scheduler.ts';

const TENANT = 'main';
const START = Date.UTC(2026, 4, 4, 12);
const DAY_MS = 24 * 3600_000;
const PROCESSES = 2;
const DELIVERIES_AT_ONCE = 3;
const ACTS = 32;
const CRASHES_MAX = 2;
/** Clocks of processes differ from the world's by less. */
const SKEW_MS_MAX = 2_000;
/** One moment takes less. */
const STEP_MS_MAX = 20;
/** Turns after which a world is stuck. */
const TURNS_MAX = 20_000;

export interface WorldReport {
  /** Deliveries of jobs to the executor. */
  readonly executions: number;
  readonly runs: number;
  readonly judged: number;
  readonly violations: readonly Violation[];
  readonly events: Readonly<Record<Happening, number>>;
}

const HAPPENINGS = ['crash', 'stall', 'fault', 'abort', 'redrive', 'delay', 'sweep', 'erasure'] as const;
type Happening = (typeof HAPPENINGS)[number];

interface Delivery {
  readonly job: SimulatedJob;
  readonly process: Process;
  readonly token: number;
  readonly watched: Watched;
}

export class World {
  readonly #draw: RandomStream;
  readonly #clock = manualClock(START);
  readonly #db = memoryDb();
  readonly #scheduler = new Scheduler();
  readonly #queue = new SimulatedQueue(() => this.#clock.now());
  readonly #oracle: Oracle;
  readonly #processors: ReadonlyMap<string, AnyProcessor>;
  readonly #processes: Process[] = [];
  readonly #deliveries = new Set<Delivery>();
  readonly #cancelled = new Set<string>();
  readonly #made = {
    datasets: [] as string[],
    features: [] as string[],
    embeddings: [] as string[],
    batches: [] as unknown[],
  };
  readonly #happened = Object.fromEntries(HAPPENINGS.map((name) => [name, 0])) as Record<Happening, number>;
  /** Looks at what lies there; nobody's caches. */
  readonly #store: Store;
  readonly #plant: PlantName;
  #left = ACTS;
  #executions = 0;
  #sweeping = 0;

  constructor(seed: number, processors: ReadonlyMap<string, AnyProcessor>, plant: PlantName = 'none') {
    this.#draw = randomStream(seed, 'consent');
    this.#processors = processors;
    this.#plant = plant;
    this.#store = storeOver(this.#db, { ...TEST_KEYS, clock: () => this.#clock.now() });
    const keys = this.#store.people.keys(TENANT, USERS);
    const userOf = new Map(USERS.map((user, n) => [Buffer.from(keys[n]!).toString('hex'), user as string]));
    this.#oracle = new Oracle(this.#db, SOURCES, userOf, () => this.#scheduler.step);
    for (let n = 0; n < PROCESSES; n++) this.#processes.push(this.#process());
  }

  #process(): Process {
    const around: Surroundings = {
      db: this.#db,
      scheduler: this.#scheduler,
      oracle: this.#oracle,
      queue: this.#queue,
      clock: this.#clock,
      processors: this.#processors,
      relay: async (intent, { asOf }) => this.#relay(intent, asOf),
      plant: PLANTS[this.#plant](),
      cancelled: this.#cancelled,
      fault: () => this.#fault(),
    };
    return new Process(around, this.#draw.below(2 * SKEW_MS_MAX) - SKEW_MS_MAX);
  }

  #fault(): 'before' | 'after' | undefined {
    const at = this.#draw.below(400);
    if (at > 1) return undefined;
    this.#happened.fault += 1;
    return at === 0 ? 'before' : 'after';
  }

  async run(): Promise<WorldReport> {
    const trueNow = Date.now;
    Date.now = () => this.#clock.now() + this.#scheduler.skewMs;
    try {
      for (const asked of beginning(this.#draw, this.#clock.now())) this.#ask(asked);
      for (let turns = 0; await this.#turn(); turns++)
        if (turns > TURNS_MAX) throw new Error(`a world does not come to rest: ${this.#waitsFor()}`);
      await this.#judgeEnd();
      await this.#scheduler.end();
    } finally {
      Date.now = trueNow;
    }
    const { judged, violations } = this.#oracle;
    const runs = this.#queue.jobs.size;
    return { executions: this.#executions, runs, judged, violations, events: this.#happened };
  }

  #waitsFor(): string {
    return this.#queue
      .in('waiting', 'active', 'delayed')
      .map(({ kind, state, attemptsMade }) => `${kind} ${state} ${attemptsMade}`)
      .join(', ');
  }

  /** The next thing that happens. False: nothing is left to do. */
  async #turn(): Promise<boolean> {
    this.#queue.promote();
    const waiting = this.#queue.in('waiting');
    const isFull = this.#deliveries.size >= DELIVERIES_AT_ONCE;
    const choices: [weight: number, happens: () => unknown][] = [];
    if (this.#scheduler.waiting > 0) choices.push([60, () => this.#letGo()]);
    if (waiting.length > 0 && !isFull) choices.push([12, () => this.#deliver(pick(this.#draw, waiting))]);
    if (this.#left > 0) choices.push([4, () => this.#act()]);
    if (this.#deliveries.size > 0 && this.#left > 0) choices.push([1, () => this.#strike()]);
    if (this.#left > 0) choices.push([1, () => this.#redrive()]);
    if (choices.length === 0) return this.#rest();
    const total = choices.reduce((sum, [weight]) => sum + weight, 0);
    let at = this.#draw.below(total);
    for (const [weight, happens] of choices) {
      if (at < weight) {
        await happens();
        break;
      }
      at -= weight;
    }
    await this.#scheduler.settled();
    return true;
  }

  #letGo(): Promise<void> {
    this.#clock.advance(this.#draw.below(STEP_MS_MAX));
    return this.#scheduler.letGo((bound) => this.#draw.below(bound));
  }

  /** Nobody can move: attempts may wait for each other, delayed jobs for their time, runs for somebody who follows them. */
  async #rest(): Promise<boolean> {
    if (this.#deliveries.size > 0 || this.#sweeping > 0) {
      await delay(1);
      return true;
    }
    const delayed = this.#queue.in('delayed');
    if (delayed.length > 0) {
      this.#happened.delay += 1;
      this.#clock.advance(Math.max(1, Math.min(...delayed.map(({ dueAt }) => dueAt)) - this.#clock.now()));
      return true;
    }
    await this.#reconcile();
    const unfollowed = await this.#store.ledger.unfollowed(-1, 100);
    if (unfollowed.length === 0) return false;
    this.#happened.sweep += 1;
    const [worker] = this.#processes;
    for (const run of unfollowed) {
      this.#sweeping += 1;
      worker!.follow(run).then(
        () => (this.#sweeping -= 1),
        () => (this.#sweeping -= 1),
      );
    }
    this.#clock.advance(1_000);
    await this.#scheduler.settled();
    return true;
  }

  /** As a sweeper does: a run whose job was given up has ended, whether its last attempt could say so or not. */
  async #reconcile(): Promise<void> {
    const error = { code: 'INTERNAL', message: '', details: {} };
    for (const { data } of this.#queue.in('failed')) {
      const run = await this.#store.ledger.read(data.runKey);
      if (run?.state === 'running') await this.#store.ledger.end(data.runKey, undefined, 'dead-lettered', error);
    }
  }

  #act(): void {
    this.#left -= 1;
    this.#clock.advance(this.#draw.below(40) === 0 ? 200 * DAY_MS : 1 + this.#draw.below(60_000));
    const asked = nextAct(this.#draw, this.#clock.now(), this.#made);
    if (asked !== undefined) this.#ask(asked);
  }

  #ask({ kind, input }: Asked): void {
    const { contract } = this.#processors.get(kind)!;
    const place = { tenant: TENANT, ring: RING, asOf: this.#clock.now(), key: `job-${this.#queue.jobs.size}` };
    const delayMs = this.#draw.below(10) === 0 ? this.#draw.below(30_000) : undefined;
    const made = makeJob(contract, input, { ...place, delayMs });
    if (!made.fits) throw new Error('a job of a simulated world is small');
    this.#queue.add(made.job, this.#scheduler.step);
    if (kind === 'ingestion' && 'events' in (input as object)) this.#made.batches.push(input);
    if (kind === 'governance') this.#happened.erasure += 1;
  }

  /** What follows from a run, of the kinds that there are here. */
  #relay(intent: Intent, asOf: number): void {
    const processor = intent.type === 'enqueue' ? this.#processors.get(intent.kind) : undefined;
    if (intent.type !== 'enqueue' || processor === undefined) return;
    const made = makeJob(processor.contract, intent.input, { tenant: TENANT, ring: RING, asOf, key: intent.key });
    if (made.fits) this.#queue.add(made.job, this.#scheduler.step);
  }

  #deliver(job: SimulatedJob): void {
    const process = pick(this.#draw, this.#processes);
    const { delivered, token } = this.#queue.take(job);
    this.#executions += 1;
    const { contract } = this.#processors.get(job.kind)!;
    const { runKey } = job.data;
    const began = this.#scheduler.step;
    const watched: Watched = { contract, runKey, began, wroteAt: 0, isLost: false, reads: new Set() };
    const delivery: Delivery = { job, process, token, watched };
    this.#deliveries.add(delivery);
    process.execute(job.kind, watched, delivered, String(token)).then(
      (output) => this.#ended(delivery, undefined, output),
      (failure) => this.#ended(delivery, failure),
    );
  }

  #ended(delivery: Delivery, failure: unknown, output?: unknown): void {
    if (!this.#deliveries.delete(delivery)) return;
    // One that was only put off has done nothing.
    if (failure instanceof DelayedError) this.#executions -= 1;
    const { job, token } = delivery;
    this.#queue.settle(job, token, failure);
    if (failure !== undefined) return;
    const { version, dataset } = output as { version?: string; dataset?: { version: string } };
    if (dataset !== undefined) this.#made.datasets.push(dataset.version);
    if (version !== undefined && job.kind === 'feature-build') this.#made.features.push(version);
    if (version !== undefined && job.kind === 'embedding-training') this.#made.embeddings.push(version);
  }

  /** Something goes wrong with a delivery. */
  #strike(): void {
    const delivery = pick(this.#draw, [...this.#deliveries]);
    const { job, process, watched } = delivery;
    const which = this.#draw.below(4);
    if (which === 0 && this.#happened.crash < CRASHES_MAX) this.#crash(process);
    else if (which <= 1) {
      this.#happened.stall += 1;
      this.#queue.lose(job);
      watched.isLost = true;
      // Its worker may hear of it, or go on as if nothing were.
      if (this.#draw.below(2) === 0) process.lose(job.kind, job.id);
    } else if (which === 2) {
      this.#happened.abort += 1;
      process.abort(job.data.runKey, 'DEADLINE_EXCEEDED');
    } else if (this.#draw.below(3) === 0) {
      this.#happened.abort += 1;
      this.#cancelled.add(job.data.runKey);
      process.abort(job.data.runKey, 'CANCELLED');
    }
  }

  #crash(process: Process): void {
    this.#happened.crash += 1;
    process.isDead = true;
    this.#processes[this.#processes.indexOf(process)] = this.#process();
    for (const delivery of this.#deliveries) {
      if (delivery.process !== process) continue;
      this.#deliveries.delete(delivery);
      if (delivery.job.token === delivery.token) this.#queue.lose(delivery.job);
    }
  }

  /** Gives a dead letter back, as whoever redrives it does. */
  async #redrive(): Promise<void> {
    const failed = this.#queue.in('failed');
    if (failed.length === 0) return;
    const job = pick(this.#draw, failed);
    const run = await this.#store.ledger.read(job.data.runKey);
    if (run === undefined || (await this.#store.deadLetters.redrive(run, this.#clock.now())) === undefined) return;
    this.#happened.redrive += 1;
    this.#queue.retry(job);
  }

  /** What is left of whom. */
  async #judgeEnd(): Promise<void> {
    for (const job of this.#queue.in('failed'))
      if (job.kind === 'governance' && !this.#cancelled.has(job.data.runKey)) return; // given up by somebody: nothing was promised
    const erased = USERS.filter((user) => this.#oracle.truth.isErased(user));
    for (const user of USERS) await this.#judgeSources(user);
    if (erased.length === 0) return;
    const needles = erased.map(
      (user) => [user, [user, Buffer.from(this.#store.people.keys(TENANT, [user])[0]!)]] as const,
    );
    const look = (place: string, bytes: Buffer, addedAt = -1): void => {
      for (const [user, names] of needles) {
        // What comes in later is refused when it runs, and goes with its job.
        if (addedAt >= (this.#oracle.leftAt.get(user) ?? 0)) continue;
        for (const name of names) if (bytes.includes(name)) this.#oracle.accuse('left', place, user, 'erased');
      }
    };
    const isOrphan = (place: string): boolean => this.#oracle.orphans.has(place.replace(/^blocks\/([^ ]+).*$/, '$1'));
    for await (const { place, bytes } of decodedStore(this.#db)) if (!isOrphan(place)) look(place, bytes);
    for (const { id, kind, data, addedAt, state } of this.#queue.jobs.values()) {
      const { contract } = this.#processors.get(kind)!;
      const input = await openInput(data, contract, RING, async () => Buffer.alloc(0)).catch(() => undefined);
      look(
        `queue/${kind}/${id.slice(0, 8)} ${kind === 'governance' ? JSON.stringify(input) : ''}${state}`,
        Buffer.from(JSON.stringify(input ?? '')),
        addedAt,
      );
    }
  }

  async #judgeSources(user: string): Promise<void> {
    const [subject] = this.#store.people.keys(TENANT, [user]);
    try {
      for (const source of await this.#store.events.sourcesOf(TENANT, subject!))
        if (this.#oracle.isUnjustified(user, source)) this.#oracle.accuse('left', source, user, 'withdrawn');
    } catch (thrown) {
      // What a manifest names is gone: nobody can read the rows of others in it any more.
      this.#oracle.accuse('unreadable', 'events', user, String(thrown));
    }
  }
}
