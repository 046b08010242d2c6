/** What a job weighs in Redis: references travel, never vectors. */
import { hash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { RedisFixture, REDIS_URL } from './redis-fixture.ts';

const HASH_BYTES_MAX = 1_024;

async function weigh({ redis, prefix }: RedisFixture, kind: string, id: string) {
  const key = `${prefix}:${kind}:${id}`;
  const fields = Object.entries(await redis.hgetall(key));
  const content = fields.reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + Buffer.byteLength(value), 0);
  return { content, total: Number(await redis.memory('USAGE', key)) };
}

describe.skipIf(REDIS_URL === undefined)('a job in Redis', () => {
  it('of embedding training takes at most 1 KB in its hash while it waits', async () => {
    await using fixture = new RedisFixture();
    const { embeddingTraining } = fixture.connect();
    const version = `dataset.${hash('sha256', 'd')}`;
    const params = { factors: 128, epochs: 15, regularisation: 0.01, alpha: 40 };
    const job = await embeddingTraining.enqueue({ dataset: version, params }, { key: 'k', priority: 2 });
    const waiting = await weigh(fixture, 'embedding-training', job.id);
    console.log(`an embedding job waiting: ${waiting.content} bytes of fields, ${waiting.total} bytes of Redis`);
    expect(waiting.content).toBeLessThanOrEqual(HASH_BYTES_MAX);
    const stored = await fixture.redis.hget(`${fixture.prefix}:embedding-training:${job.id}`, 'data');
    expect(JSON.parse(stored ?? '').input).toMatchObject({ dataset: version, params });
  });
});
