/** Owns reading schedules from Redis: client, workers and dashboard see the same ones. */
import type { Redis } from 'ioredis';
import type { z } from 'zod';
import { scheduleRecordSchema, tickMirrorSchema } from '../../shared/contract-kit/envelope.ts';
import { schedulesKey, tickMirrorKey } from '../../shared/contract-kit/names.ts';
import type { StoredSchedule } from './transport.ts';

/** All schedules of a deployment; what is not a schedule of this version is left out. */
export async function readStoredSchedules(redis: Redis, prefix: string): Promise<StoredSchedule[]> {
  const [records, mirrors] = await Promise.all([
    redis.hgetall(schedulesKey(prefix)),
    redis.hgetall(tickMirrorKey(prefix)),
  ]);
  return Object.entries(records).flatMap(([id, text]) => {
    const record = parsedOrUndefined(scheduleRecordSchema, text);
    const mirror = mirrors[id];
    if (record === undefined) return [];
    return [{ record, mirror: mirror === undefined ? undefined : parsedOrUndefined(tickMirrorSchema, mirror) }];
  });
}

export function parsedOrUndefined<S extends z.ZodType>(schema: S, text: string): z.output<S> | undefined {
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
