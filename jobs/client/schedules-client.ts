/** Owns declaring what recurs, and telling how it went: workers see each tick through from what is declared here. */
import { isDeepStrictEqual } from 'node:util';
import { ticksOf } from '../../shared/contract-kit/cron.ts';
import type { MissedTicks, TickDecision } from '../../shared/contract-kit/envelope.ts';
import { schedulerId } from '../../shared/contract-kit/names.ts';
import { AppError } from '../../shared/errors.ts';
import type { PipelineName } from '../pipelines.ts';
import { overdueTick, parseSchedule, recordOf, type Schedule, type ScheduleInput } from '../schedules.ts';
import type { ClientCore } from './job-client.ts';
import { PipelineRun, type PipelineState } from './pipelines-client.ts';
import type { StoredSchedule } from './transport.ts';

/** Ticks that a listed schedule shows, to come and gone by. */
const TICKS_SHOWN = 5;

export interface TickOutcome extends TickDecision {
  /** `gone`: not taken by a worker yet, or forgotten. Absent where the tick was skipped. */
  readonly state?: PipelineState | 'gone';
}

export interface ListedSchedule extends Schedule {
  /** The next ticks, ms since 1970, ascending. */
  readonly next: readonly number[];
  /** The last ticks, newest first. */
  readonly last: readonly TickOutcome[];
  /** The last ticks that were missed together. */
  readonly missed?: MissedTicks;
  /** A tick that is due and that no worker has taken. */
  readonly overdue?: number;
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
    const now = this.#core.nowMs();
    if (ticksOf(cron, timeZone, now, 1).length === 0)
      throw new AppError('SCHEDULE_INVALID', {
        message: `"${cron}" never comes true.`,
        details: { issues: [{ path: ['cron'], message: 'never comes true' }] },
      });
    const id = this.#idOf(schedule.name);
    const stored = await this.#core.transport.readSchedule(id);
    const sameRhythm = stored?.cron === cron && stored.timeZone === timeZone;
    const record = recordOf(this.#core.tenant, schedule, sameRhythm ? stored.declaredAt : now);
    if (isDeepStrictEqual(stored, record)) return 'unchanged';
    await this.#core.transport.writeSchedule(id, record);
    return stored === undefined ? 'created' : 'changed';
  }

  /** This tenant's schedules by name, with their next ticks and what became of the last ones. */
  async list(): Promise<ListedSchedule[]> {
    const stored = await this.#core.transport.listSchedules();
    const own = stored.filter(({ record }) => record.tick.tenant === this.#core.tenant);
    const listed = await Promise.all(own.map((schedule) => this.#listed(schedule)));
    return listed.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** False when there was none of that name. */
  remove(name: string): Promise<boolean> {
    return this.#core.transport.removeSchedule(this.#idOf(name));
  }

  async #listed({ record, mirror }: StoredSchedule): Promise<ListedSchedule> {
    const { cron, timeZone, catchUp, catchUpMax, tick } = record;
    const now = this.#core.nowMs();
    const overdue = overdueTick(record, mirror, now);
    const recent = (mirror?.recent ?? []).slice(-TICKS_SHOWN).toReversed();
    return {
      name: tick.schedule,
      pipeline: tick.pipeline as PipelineName,
      params: tick.params as Record<string, unknown>,
      cron,
      timeZone,
      catchUp,
      catchUpMax,
      next: ticksOf(cron, timeZone, now, TICKS_SHOWN),
      last: await Promise.all(recent.map((decision) => this.#outcome(decision))),
      ...(mirror?.missed === undefined ? {} : { missed: mirror.missed }),
      ...(overdue === undefined ? {} : { overdue }),
    };
  }

  async #outcome(decision: TickDecision): Promise<TickOutcome> {
    if (decision.run === undefined) return decision;
    return { ...decision, state: await new PipelineRun(this.#core, decision.run).state() };
  }

  #idOf(name: string): string {
    return schedulerId(this.#core.tenant, name);
  }
}
