/** Owns the setting of limits of a queue: how many unfinished jobs a tenant may have, and how fast it may ask. */
import type { Redis } from 'ioredis';
import { z } from 'zod';
import { backlogKey, sourceNameSchema, tenantSchema } from '../../shared/contract-kit/names.ts';
import { AppError } from '../../shared/errors.ts';
import { issuesOf } from './make-job.ts';

/** Stands for each tenant that has no limit of its own. */
export const EVERY_TENANT = '*';

export const queueLimitSchema = z
  .strictObject({
    tenant: z.union([tenantSchema, z.literal(EVERY_TENANT)]),
    /** Rates alone can be of a source. */
    source: sourceNameSchema.optional(),
    /** Most unfinished jobs; null: the contract's again. */
    backlogMax: z.int().min(1).max(1_000_000_000).nullable().optional(),
    /** Jobs a second, and how many may come at once; null: as fast as they like. */
    rate: z
      .strictObject({ perSecond: z.number().positive().max(1_000_000), burst: z.int().min(1).max(1_000_000) })
      .nullable()
      .optional(),
  })
  .refine(({ source, backlogMax }) => source === undefined || backlogMax === undefined, 'a bound is that of a tenant');
export type QueueLimit = z.input<typeof queueLimitSchema>;

/** ARGV: bucket, words. */
const SET_RATE = `if redis.call('HGET', KEYS[1], 'rate:' .. ARGV[1]) ~= ARGV[2] then
  redis.call('HSET', KEYS[1], 'rate:' .. ARGV[1], ARGV[2])
  redis.call('HDEL', KEYS[1], 'tat:' .. ARGV[1])
end`;

/** Sets what is given and leaves what is not. Holds from the next job on, for every producer. */
export async function setQueueLimit(redis: Redis, prefix: string, kind: string, limit: QueueLimit): Promise<void> {
  const parsed = queueLimitSchema.safeParse(limit);
  if (!parsed.success)
    throw new AppError('INPUT_INVALID', {
      message: `The limit is not valid: ${parsed.error.issues[0]?.message}.`,
      details: { kind, issues: issuesOf(parsed.error) },
    });
  const { tenant, source, backlogMax, rate } = parsed.data;
  const key = backlogKey(prefix, kind);
  const commands = redis.multi().hset(key, 'limited', '1');
  if (backlogMax === null) commands.hdel(key, `max:${tenant}`);
  if (typeof backlogMax === 'number') commands.hset(key, `max:${tenant}`, backlogMax);
  const bucket = source === undefined ? tenant : `${tenant}/${source}`;
  if (rate === null) commands.hdel(key, `rate:${bucket}`, `tat:${bucket}`);
  // What was owed at an earlier rate is not owed at this one; a rate that stays keeps its account.
  else if (rate !== undefined) commands.eval(SET_RATE, 1, key, bucket, `${rate.perSecond} ${rate.burst}`);
  await commands.exec();
}
