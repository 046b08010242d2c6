/** Owns what the dashboard shows of schedules: the next ticks, what became of the last ones, and what was missed. */
import type { Redis } from 'ioredis';
import { readStoredSchedules } from '../../jobs/client/declared-schedules.ts';
import type { StoredSchedule } from '../../jobs/client/transport.ts';
import { overdueTick, recordOf, SCHEDULES } from '../../jobs/schedules.ts';
import { ticksOf } from '../../shared/contract-kit/cron.ts';
import type { MissedTicks, ScheduleRecord, TickDecision } from '../../shared/contract-kit/envelope.ts';
import type { PipelineRunDocument, Store } from '../../shared/store/ports.ts';

const TICKS_SHOWN = 5;
const SCHEDULES_SHOWN = 50;
/** Missed ticks are shown for so long after they were seen. */
const MISSED_SHOWN_MS = 24 * 3600_000;

export interface TickLine extends TickDecision {
  /** Of the run; absent: skipped, or not taken by a worker yet. */
  readonly state?: PipelineRunDocument['state'];
}

export interface ScheduleLine {
  readonly name: string;
  readonly pipeline: string;
  readonly cron: string;
  readonly timeZone: string;
  /** The next moments it is due, ms since 1970. */
  readonly ticks: readonly number[];
  /** The last ticks, newest first. */
  readonly last: readonly TickLine[];
  readonly missed?: MissedTicks;
  /** Due, and no worker has taken it. */
  readonly overdue?: number;
  /** It is declared: it will really run. */
  readonly armed: boolean;
}

async function lineOf({ record, mirror }: StoredSchedule, store: Store, nowMs: number): Promise<ScheduleLine> {
  const recent = (mirror?.recent ?? []).slice(-TICKS_SHOWN).toReversed();
  const overdue = overdueTick(record, mirror, nowMs);
  const missed = mirror?.missed;
  return {
    ...planned(record, nowMs),
    armed: true,
    last: await Promise.all(
      recent.map(async (decision) => {
        const run = decision.run === undefined ? undefined : await store.pipelineRuns.read(decision.run);
        return run === undefined ? decision : Object.assign({ state: run.state }, decision);
      }),
    ),
    ...(missed === undefined || missed.seenAt < nowMs - MISSED_SHOWN_MS ? {} : { missed }),
    ...(overdue === undefined ? {} : { overdue }),
  };
}

const planned = ({ cron, timeZone, tick }: ScheduleRecord, nowMs: number) => ({
  name: tick.schedule,
  pipeline: tick.pipeline,
  cron,
  timeZone,
  ticks: ticksOf(cron, timeZone, nowMs, TICKS_SHOWN),
});

/** The tenant's schedules, the next due first: those that are declared, and those of a fresh deployment that no worker has declared yet. */
export async function readSchedules(
  redis: Redis,
  prefix: string,
  store: Store,
  tenant: string,
  nowMs: number,
): Promise<ScheduleLine[]> {
  const stored = (await readStoredSchedules(redis, prefix)).filter(({ record }) => record.tick.tenant === tenant);
  const declared = await Promise.all(stored.slice(0, SCHEDULES_SHOWN).map((one) => lineOf(one, store, nowMs)));
  const missing = SCHEDULES.filter(({ name }) => !declared.some((line) => line.name === name)).map((schedule) =>
    Object.assign({ last: [], armed: false }, planned(recordOf(tenant, schedule, nowMs), nowMs)),
  );
  return [...declared, ...missing].toSorted((a, b) => (a.ticks[0] ?? Infinity) - (b.ticks[0] ?? Infinity));
}
