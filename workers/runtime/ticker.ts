/**
 * Owns the ticks of schedules: every worker process looks which are due, enqueues their starts, and notes in the store how far the
 * schedule has got. BullMQ carries the starts; it has no catch-up of its own.
 *
 * Invariants
 * 1. A tick's run key is `schedule.tick`: enqueued by many, or again after a crash, it starts one run.
 * 2. The cursor moves after the starts are enqueued, by compare-and-set: a crash between repeats, never loses.
 * 3. What is declared is noted in the store: a schedule that is gone from Redis without having been removed is given back.
 * 4. The Redis mirror is for watching; nothing is decided by it.
 */
import type { Redis } from 'ioredis';
import { readStoredSchedules } from '../../jobs/client/declared-schedules.ts';
import type { StoredSchedule } from '../../jobs/client/transport.ts';
import type { Clock } from '../../shared/clock.ts';
import { ticksOf } from '../../shared/contract-kit/cron.ts';
import type { MissedTicks, ScheduleRecord, TickDecision, TickMirror } from '../../shared/contract-kit/envelope.ts';
import { pipelineRunId, runKeyOf, schedulerId, tickMirrorKey } from '../../shared/contract-kit/names.ts';
import type { Store } from '../../shared/store/ports.ts';
import type { Log } from '../../shared/telemetry/log.ts';
import { decide, dueTicks } from './catch-up.ts';
import { restoreSchedules } from './schedules.ts';
import type { Enqueuer } from './enqueuer.ts';
import { codedFailure } from './failure.ts';

const INTERVAL_MS = 1_000;
/** Decisions that are kept of a schedule. */
const RECENT_MAX = 10;
const START_KIND = 'pipeline';
/** A start that no worker has claimed for so long after it was enqueued is told. */
const NOT_BEGUN_MS = 5 * 60_000;
/** Starts of older ticks are not looked for: the ledger may have forgotten them. */
const WATCHED_MS_MAX = 24 * 3_600_000;

export interface TickerOptions {
  readonly store: Pick<Store, 'ticks' | 'ledger'>;
  readonly redis: Redis;
  readonly prefix: string;
  readonly enqueuer: Pick<Enqueuer, 'enqueue'>;
  readonly clock: Clock;
  readonly log: Log;
}

export class Ticker implements AsyncDisposable {
  readonly #options: TickerOptions;
  /** When a schedule is next due, as long as its record stays the same: most turns read Redis alone. */
  readonly #next = new Map<string, { readonly of: string; readonly at: number }>();
  /** The last start of each schedule, and when it was first seen here. */
  readonly #starts = new Map<string, { readonly runKey: string; readonly seenAt: number; looked: boolean }>();
  #timer: NodeJS.Timeout | undefined;
  #turning: Promise<void> | undefined;

  constructor(options: TickerOptions) {
    this.#options = options;
  }

  /** Looks once a second from now on. */
  start(): void {
    this.#timer = setInterval(() => {
      this.#turning ??= this.#guarded().finally(() => {
        this.#turning = undefined;
      });
    }, INTERVAL_MS);
    this.#timer.unref();
  }

  async #guarded(): Promise<void> {
    try {
      await this.turn();
    } catch (thrown) {
      this.#options.log.warn(
        { error: codedFailure(thrown, { personal: false }).toJSON() },
        'schedules could not be read',
      );
    }
  }

  /** Decides every tick that is due. */
  async turn(): Promise<void> {
    const { redis, prefix, clock, log } = this.#options;
    const stored = await readStoredSchedules(redis, prefix);
    const ids = new Set(stored.map(({ record }) => schedulerId(record.tick.tenant, record.tick.schedule)));
    const gone = [...this.#next.keys()].filter((id) => !ids.has(id));
    for (const id of gone) {
      this.#next.delete(id);
      this.#starts.delete(id);
    }
    if (gone.length > 0) await restoreSchedules(this.#options.store, redis, prefix); // the next turn sees what is given back
    for (const schedule of stored) {
      const { record } = schedule;
      const id = schedulerId(record.tick.tenant, record.tick.schedule);
      await this.#watchStart(id, schedule);
      const of = JSON.stringify(record);
      const known = this.#next.get(id);
      if (known?.of === of && known.at > clock.now()) continue;
      try {
        const cursor = await this.#drive(record);
        const [at = Infinity] = ticksOf(record.cron, record.timeZone, Math.max(cursor, record.declaredAt), 1);
        this.#next.set(id, { of, at });
      } catch (thrown) {
        // One that cannot be helped must not keep the others from their time.
        log.warn({ schedule: id, error: codedFailure(thrown, { personal: false }).toJSON() }, 'a tick waits');
      }
    }
  }

  /** A start that nobody takes is as bad as a tick that was missed. */
  async #watchStart(id: string, { record: { tick }, mirror }: StoredSchedule): Promise<void> {
    const { clock, store, log } = this.#options;
    const last = mirror?.recent.at(-1);
    const now = clock.now();
    if (last?.run === undefined || now - last.tick > WATCHED_MS_MAX) return;
    const { tenant, schedule } = tick;
    const runKey = runKeyOf(tenant, START_KIND, `${schedule}.${last.tick}`);
    const start = this.#starts.get(id);
    if (start?.runKey !== runKey) this.#starts.set(id, { runKey, seenAt: now, looked: false });
    else if (!start.looked && now - start.seenAt >= NOT_BEGUN_MS) {
      if ((await store.ledger.read(runKey)) === undefined)
        log.error(
          { event: 'schedule.not-begun', tenant, schedule, tick: last.tick },
          'a tick was enqueued, and no worker has begun it',
        );
      start.looked = true;
    }
  }

  /** Starts what is due and moves the cursor. Returns where it stands. */
  async #drive(record: ScheduleRecord): Promise<number> {
    const { store, clock } = this.#options;
    const { tenant, schedule } = record.tick;
    const before = await store.ticks.begin(tenant, schedule, record.declaredAt);
    if (JSON.stringify(before.record) !== JSON.stringify(record)) await store.ticks.keep(tenant, schedule, record);
    const now = clock.now();
    const due = dueTicks(record, before.cursor, now);
    const last = due.at(-1);
    if (last === undefined) {
      await this.#mirror(record, before);
      return before.cursor;
    }
    const decisions: TickDecision[] = [];
    for (const decision of decide(due, record, now))
      decisions.push(
        decision.did === 'skipped' ? decision : { ...decision, run: await this.#begin(record, decision.tick) },
      );
    const missed = missedOf(decisions, now) ?? before.missed;
    const recent = [...before.recent, ...decisions].slice(-RECENT_MAX);
    const after: TickMirror = { cursor: last, recent, ...(missed === undefined ? {} : { missed }) };
    if (await store.ticks.advance(before, after)) {
      this.#tell(record, missed?.seenAt === now ? missed : undefined);
      await this.#mirror(record, after);
    }
    return last;
  }

  /** Enqueues the start of a tick's run and returns the run's id. */
  async #begin({ tick: { tenant, schedule, pipeline, params } }: ScheduleRecord, tick: number): Promise<string> {
    const key = `${schedule}.${tick}`;
    await this.#options.enqueuer.enqueue(START_KIND, { start: { pipeline, params } }, { tenant, key, asOf: tick });
    return pipelineRunId(tenant, pipeline, runKeyOf(tenant, START_KIND, key));
  }

  #tell({ tick, catchUp }: ScheduleRecord, missed: MissedTicks | undefined): void {
    if (missed === undefined) return;
    const { tenant, schedule } = tick;
    this.#options.log.error({ event: 'schedule.missed', tenant, schedule, catchUp, ...missed }, 'ticks were missed');
  }

  async #mirror({ tick }: ScheduleRecord, { cursor, recent, missed }: TickMirror): Promise<void> {
    const { redis, prefix } = this.#options;
    const mirror: TickMirror = { cursor, recent, ...(missed === undefined ? {} : { missed }) };
    await redis.hset(tickMirrorKey(prefix), schedulerId(tick.tenant, tick.schedule), JSON.stringify(mirror));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#turning;
  }
}

function missedOf(decisions: readonly TickDecision[], seenAt: number): MissedTicks | undefined {
  const late = decisions.filter(({ did }) => did !== 'on-time');
  const [first] = late;
  const last = late.at(-1);
  if (first === undefined || last === undefined) return undefined;
  const caughtUp = late.filter(({ did }) => did === 'caught-up').length;
  return { count: late.length, from: first.tick, to: last.tick, caughtUp, seenAt };
}
