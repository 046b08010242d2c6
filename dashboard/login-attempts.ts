/** Owns how often a login may fail: per (user, address) and per address, counted in Redis so that restarts forgive nothing. */
import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';
import { AppError } from '../shared/errors.ts';

const FAILURES_MAX_PER_USER = 5;
const FAILURES_MAX_PER_ADDRESS = 30;
const WINDOW_S = 15 * 60;

export interface LoginAttempts {
  /** Throws AUTH_TOO_MANY_ATTEMPTS when this pair, or this address, has failed too often. */
  check(user: string, address: string): Promise<void>;
  failed(user: string, address: string): Promise<void>;
  succeeded(user: string, address: string): Promise<void>;
}

export function loginAttempts(redis: Redis, prefix: string): LoginAttempts {
  const keyOf = (name: string): string =>
    `${prefix}:login:${createHash('sha256').update(name).digest('hex').slice(0, 32)}`;
  const pair = (user: string, address: string): string => keyOf(`${address}\0${user}`);
  const bump = async (key: string): Promise<void> => {
    await redis.multi().incr(key).expire(key, WINDOW_S, 'NX').exec();
  };
  return {
    async check(user, address) {
      for (const [key, max] of [
        [pair(user, address), FAILURES_MAX_PER_USER],
        [keyOf(address), FAILURES_MAX_PER_ADDRESS],
      ] as const) {
        if (Number(await redis.get(key)) < max) continue;
        const retryAfterSeconds = Math.max(1, await redis.ttl(key));
        throw new AppError('AUTH_TOO_MANY_ATTEMPTS', { details: { retryAfterSeconds } });
      }
    },
    async failed(user, address) {
      await bump(pair(user, address));
      await bump(keyOf(address));
    },
    async succeeded(user, address) {
      await redis.del(pair(user, address));
    },
  };
}
