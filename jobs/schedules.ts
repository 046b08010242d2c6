/** Owns what recurs: each schedule starts a pipeline that ends in audit and publish. */
import { z } from 'zod';
import { parseCron, ticksOf } from '../shared/contract-kit/cron.ts';
import { CATCH_UP_DEFAULT, CATCH_UPS, type ScheduleRecord, type TickMirror } from '../shared/contract-kit/envelope.ts';
import { sourceNameSchema } from '../shared/contract-kit/names.ts';
import { AppError } from '../shared/errors.ts';
import { PIPELINE_NAMES, type PipelineName, pipelineOf } from './pipelines.ts';

const isTimeZone = (zone: string): boolean => {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
};

/** No schedule runs more missed ticks at once. */
const CATCH_UP_MAX = 1000;
/** A tick that is decided later than this was missed. */
export const LATE_MS = 60_000;

export const scheduleSchema = z.strictObject({
  name: sourceNameSchema,
  pipeline: z.enum(PIPELINE_NAMES as [PipelineName, ...PipelineName[]]),
  params: z.record(z.string(), z.unknown()).default({}),
  /** Five fields: minute hour day month weekday. */
  cron: z.string().check((context) => {
    const parsed = parseCron(context.value);
    if (typeof parsed === 'string')
      context.issues.push({ code: 'custom', input: context.value, message: parsed, continue: false });
  }),
  /** IANA time zone. */
  timeZone: z.string().refine(isTimeZone, 'not an IANA time zone').default('UTC'),
  /** After downtime: run no missed tick, the latest, or all up to `catchUpMax`. */
  catchUp: z.enum(CATCH_UPS).default('latest'),
  catchUpMax: z.int().min(1).max(CATCH_UP_MAX).default(CATCH_UP_DEFAULT),
});
export type ScheduleInput = z.input<typeof scheduleSchema>;
export type Schedule = z.output<typeof scheduleSchema>;

/** Checks a schedule and its pipeline's parameters; throws SCHEDULE_INVALID with every issue. */
export function parseSchedule(candidate: unknown): Schedule {
  const parsed = scheduleSchema.safeParse(candidate);
  if (!parsed.success)
    throw new AppError('SCHEDULE_INVALID', {
      details: { issues: parsed.error.issues.map(({ path, message }) => ({ path, message })) },
    });
  const params = pipelineOf(parsed.data.pipeline).params.safeParse(parsed.data.params);
  if (!params.success)
    throw new AppError('SCHEDULE_INVALID', {
      details: { issues: params.error.issues.map(({ path, message }) => ({ path: ['params', ...path], message })) },
    });
  return parsed.data;
}

/** The schedules of a fresh deployment. */
export const SCHEDULES: readonly Schedule[] = [
  parseSchedule({ name: 'nightly-segments', pipeline: 'refresh-segments', cron: '0 3 * * *', timeZone: 'UTC' }),
  parseSchedule({ name: 'nightly-refresh', pipeline: 'refresh', cron: '30 3 * * *', timeZone: 'UTC' }),
  parseSchedule({ name: 'hourly-candidates', pipeline: 'refresh-candidates', cron: '10 * * * *', timeZone: 'UTC' }),
  parseSchedule({ name: 'hourly-prompts', pipeline: 'ask', cron: '40 * * * *', timeZone: 'UTC' }),
  parseSchedule({ name: 'daily-audit', pipeline: 'audit-live', cron: '0 6 * * *', timeZone: 'UTC' }),
];

/** The record of a schedule as Redis keeps it. Ticks before `declaredAt` are not owed. */
export function recordOf(tenant: string, schedule: Schedule, declaredAt: number): ScheduleRecord {
  const { name, pipeline, params, cron, timeZone, catchUp, catchUpMax } = schedule;
  return { cron, timeZone, catchUp, catchUpMax, declaredAt, tick: { schedule: name, tenant, pipeline, params } };
}

/** A tick that should have been taken by now and was not: no worker is there, or none that reaches store and Redis. */
export function overdueTick(
  { cron, timeZone, declaredAt }: Pick<ScheduleRecord, 'cron' | 'timeZone' | 'declaredAt'>,
  mirror: Pick<TickMirror, 'cursor'> | undefined,
  nowMs: number,
): number | undefined {
  const [due] = ticksOf(cron, timeZone, Math.max(declaredAt, mirror?.cursor ?? 0), 1);
  return due !== undefined && due < nowMs - LATE_MS ? due : undefined;
}
