/** Owns where heads of the audit trail are kept outside of the store: in Redis, so that whoever can cut off the end of the trail needs both. */
import type { Redis } from 'ioredis';
import type { SignedTrailHead, Trail } from '../store/ports/trail.ts';

const keyOf = (prefix: string, tenant: string): string => `${prefix}:trail-head:${tenant}`;

/** A head never goes back: processes tell of theirs in any order. */
const KEEP = `local n = redis.call('HGET', KEYS[1], 'n')
if n and tonumber(n) >= tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'n', ARGV[1], 'head', ARGV[2])
return 1`;

export async function keepTrailHead(redis: Redis, prefix: string, head: SignedTrailHead): Promise<void> {
  const { tenant, n } = head.head;
  await redis.eval(KEEP, 1, keyOf(prefix, tenant), n, JSON.stringify(head));
}

/** Keeps each head that this process hears of. What Redis cannot take now is made up for by the next one. */
export function keepTrailHeads(trail: Pick<Trail, 'onHead'>, redis: Redis, prefix: string): void {
  trail.onHead((head) => void keepTrailHead(redis, prefix, head).catch(() => {}));
}

export async function keptTrailHead(
  redis: Redis,
  prefix: string,
  tenant: string,
): Promise<SignedTrailHead | undefined> {
  const text = await redis.hget(keyOf(prefix, tenant), 'head');
  return text === null ? undefined : (JSON.parse(text) as SignedTrailHead);
}
