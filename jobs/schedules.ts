/** Owns what recurs: each schedule starts a pipeline that ends in audit and publish. */
import { z } from 'zod';
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

export const scheduleSchema = z.strictObject({
  name: sourceNameSchema,
  pipeline: z.enum(PIPELINE_NAMES as [PipelineName, ...PipelineName[]]),
  params: z.record(z.string(), z.unknown()).default({}),
  /** Five fields: minute hour day month weekday. */
  cron: z.string().regex(/^(\S+\s+){4}\S+$/, 'five fields: minute hour day month weekday'),
  /** IANA time zone. */
  timeZone: z.string().refine(isTimeZone, 'not an IANA time zone').default('UTC'),
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
  parseSchedule({ name: 'daily-audit', pipeline: 'audit-live', cron: '0 6 * * *', timeZone: 'UTC' }),
];
