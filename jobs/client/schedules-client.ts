/** Owns declaring what recurs: a schedule is a BullMQ job scheduler whose ticks start a pipeline. */
import { getNextMillis } from 'bullmq';
import { isDeepStrictEqual } from 'node:util';
import { schedulerId } from '../../shared/contract-kit/names.ts';
import { AppError } from '../../shared/errors.ts';
import type { PipelineName } from '../pipelines.ts';
import { parseSchedule, type Schedule, type ScheduleInput } from '../schedules.ts';
import type { ClientCore } from './job-client.ts';
import type { StoredSchedule } from './transport.ts';

/** Ticks that a listed schedule shows. */
const NEXT_TICKS = 5;

export interface ListedSchedule extends Schedule {
  /** The next ticks, ms since 1970, ascending. */
  readonly next: readonly number[];
}

export class SchedulesClient {
  readonly #core: ClientCore;

  constructor(core: ClientCore) {
    this.#core = core;
  }

  /** Declares a schedule; declaring the same again changes nothing. Throws SCHEDULE_INVALID with every issue. */
  async upsert(input: ScheduleInput): Promise<'created' | 'changed' | 'unchanged'> {
    const schedule = parseSchedule(input);
    const { cron, timeZone } = schedule;
    if (ticksOf(cron, timeZone, this.#core.nowMs(), 1).length === 0)
      throw new AppError('SCHEDULE_INVALID', {
        message: `"${cron}" is not a cron expression that ever comes true.`,
        details: { issues: [{ path: ['cron'], message: 'not a cron expression that ever comes true' }] },
      });
    const wanted = {
      id: this.#idOf(schedule.name),
      cron,
      timeZone,
      tick: {
        schedule: schedule.name,
        tenant: this.#core.tenant,
        pipeline: schedule.pipeline,
        params: schedule.params,
      },
    };
    const stored = await this.#core.transport.readSchedule(wanted.id);
    if (stored !== undefined && same(stored, wanted)) return 'unchanged';
    await this.#core.transport.writeSchedule(wanted);
    return stored === undefined ? 'created' : 'changed';
  }

  /** This tenant's schedules by name, with their next ticks. */
  async list(): Promise<ListedSchedule[]> {
    const stored = await this.#core.transport.listSchedules();
    return stored
      .filter(({ tick }) => tick.tenant === this.#core.tenant)
      .map(({ cron, timeZone, tick, nextAt }) => ({
        name: tick.schedule,
        pipeline: tick.pipeline as PipelineName,
        params: tick.params as Record<string, unknown>,
        cron,
        timeZone,
        next: nextTicks(cron, timeZone, nextAt ?? this.#core.nowMs(), nextAt !== undefined),
      }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** False when there was none of that name. */
  remove(name: string): Promise<boolean> {
    return this.#core.transport.removeSchedule(this.#idOf(name));
  }

  #idOf(name: string): string {
    return schedulerId(this.#core.tenant, name);
  }
}

const same = (stored: StoredSchedule, wanted: Omit<StoredSchedule, 'nextAt'>): boolean =>
  stored.cron === wanted.cron && stored.timeZone === wanted.timeZone && isDeepStrictEqual(stored.tick, wanted.tick);

function nextTicks(cron: string, timeZone: string, fromMs: number, fromIsTick: boolean): number[] {
  if (!fromIsTick) return ticksOf(cron, timeZone, fromMs, NEXT_TICKS);
  return [fromMs, ...ticksOf(cron, timeZone, fromMs, NEXT_TICKS - 1)];
}

/** The first `count` ticks after `fromMs`; fewer, or none, where the expression is wrong or runs out. */
export function ticksOf(cron: string, timeZone: string, fromMs: number, count: number): number[] {
  const ticks: number[] = [];
  try {
    for (let at = fromMs; ticks.length < count; ) {
      const next = getNextMillis(at, { pattern: cron, tz: timeZone });
      if (next === undefined) break;
      ticks.push(next);
      at = next;
    }
  } catch {
    return ticks;
  }
  return ticks;
}
