/** Owns where sessions live: Redis, so that a restart of the dashboard logs nobody out. */
import { callbackify } from 'node:util';
import type { SessionStore } from '@fastify/session';
import type { Session } from 'fastify';
import type { Redis } from 'ioredis';

/** How long a login lasts. */
export const SESSION_TTL_MS = 12 * 3_600_000;

declare module 'fastify' {
  interface Session {
    user?: string;
  }
}

export function redisSessions(redis: Redis, prefix: string): SessionStore {
  const keyOf = (id: string): string => `${prefix}:session:${id}`;
  return {
    set: callbackify(async (id: string, session: Session): Promise<void> => {
      await redis.set(keyOf(id), JSON.stringify(session), 'PX', SESSION_TTL_MS);
    }),
    get: callbackify(async (id: string): Promise<Session | null> => {
      const text = await redis.get(keyOf(id));
      return text === null ? null : (JSON.parse(text) as Session);
    }),
    destroy: callbackify(async (id: string): Promise<void> => {
      await redis.del(keyOf(id));
    }),
  };
}
