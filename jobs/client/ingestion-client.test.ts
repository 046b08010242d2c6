/** Batches: records checked one by one, parts of at most 64 KiB, one handle over them. */
import { randomBytes, randomUUID } from 'node:crypto';
import { Queue } from 'bullmq';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Envelope, ENVELOPE_BYTES_MAX } from '../../shared/contract-kit/envelope.ts';
import type { CanonicalEventInput } from '../../shared/contract-kit/event.ts';
import { sealRing } from '../../shared/contract-kit/seal.ts';
import { ingestion } from '../ingestion/contract.ts';
import { checkBatch, cutParts, openBatch, type Part } from './batch-parts.ts';
import { makeSerialisedJob, readInputText } from './make-job.ts';
import { REDIS_URL, RedisFixture } from './redis-fixture.ts';
import { connectInMemory } from './testing.ts';

const NOW_MS = Date.UTC(2026, 0, 1);
const view = (index: number, id = `e${index}`): CanonicalEventInput => ({
  id,
  type: 'view',
  user: `user-${index % 97}`,
  item: `item-${index % 31}`,
  value: index % 101,
  occurredAt: NOW_MS - index * 1000,
});
const ring = sealRing(randomBytes(32).toString('hex'));

function cut(input: unknown): { parts: Part[]; kept: number[] } {
  const batch = openBatch(input);
  const checked = checkBatch(batch, NOW_MS);
  const place = { tenant: 'main', ring, asOf: NOW_MS };
  const parts = cutParts(batch, checked, (text, part) =>
    makeSerialisedJob(ingestion, text, { ...place, key: `k.${part}` }),
  );
  return { parts, kept: [...checked.indices] };
}

interface Opened {
  readonly text: string;
  readonly source: string;
  readonly events: CanonicalEventInput[];
  readonly indices?: number[];
}
function open({ made }: Part): Opened {
  if (!made.fits) throw new Error('travels as a claim');
  const text = readInputText(ingestion, made.job.data, ring);
  return { text, ...(JSON.parse(text) as Omit<Opened, 'text'>) };
}

describe('cutting a batch', () => {
  it('keeps every good record once, in order, under its place in the array, in envelopes of at most 64 KiB', () => {
    const event = fc.record({ good: fc.boolean(), text: fc.string({ minLength: 1, maxLength: 2000, unit: 'binary' }) });
    fc.assert(
      fc.property(fc.array(event, { minLength: 1, maxLength: 300 }), (records) => {
        const events = records.map(({ good, text }, index) =>
          good ? { ...view(index), type: 'comment', value: undefined, text } : { type: 'view' },
        );
        const { parts, kept } = cut({ source: 'web', events });
        expect(kept).toEqual(records.flatMap(({ good }, index) => (good ? [index] : [])));
        const opened = parts.map(open);
        expect(opened.flatMap(({ events, indices }) => indices ?? events.map((_, index) => index))).toEqual(kept);
        expect(opened.flatMap(({ events }) => events.map(({ id }) => id))).toEqual(kept.map((index) => `e${index}`));
        for (const { made } of parts)
          expect(made.fits && Buffer.byteLength(JSON.stringify(made.job.data))).toBeLessThanOrEqual(ENVELOPE_BYTES_MAX);
      }),
      { numRuns: 30 },
    );
  });

  it('fills parts well: 1,000 ordinary events are one job, 10,000 incompressible ones few', () => {
    expect(
      cut({ source: 'web', events: Array.from({ length: 1_000 }, (_, i) => view(i, randomUUID())) }).parts,
    ).toHaveLength(1);
    const noise = Array.from({ length: 10_000 }, (_, i) => view(i, randomBytes(60).toString('base64')));
    const { parts } = cut({ source: 'web', events: noise });
    const bytes = parts.map(({ made }) => (made.fits ? (made.job.data.sealed?.box.length ?? 0) : 0));
    // All but the last are at least half full.
    for (const size of bytes.slice(0, -1)) expect(size).toBeGreaterThan(ENVELOPE_BYTES_MAX / 2);
  });

  it('serialises a part exactly as the contract would, so that every way in makes the same hash', () => {
    const events = [view(0), { type: 'view' }, { ...view(2), device: 'tv', occurredAt: '2025-12-31T23:00:00+05:30' }];
    for (const input of [
      { source: 'web', events, allowUnknownItems: true },
      { allowUnknownItems: false, events: [view(0)], source: 'web' },
    ]) {
      const [part] = cut(input).parts;
      const { text } = open(part as Part);
      expect(JSON.stringify(ingestion.input.parse(JSON.parse(text)))).toBe(text);
    }
  });

  it('refuses a frame that is not a batch', () => {
    for (const wrong of [
      null,
      {},
      { source: 'web' },
      { source: 'web', events: [] },
      { source: 'A B', events: [view(0)] },
    ])
      expect(() => openBatch(wrong)).toThrow('INPUT_INVALID');
    expect(() => openBatch({ source: 'web', events: [view(0)], colour: 1 })).toThrow('INPUT_INVALID');
    expect(() => openBatch({ source: 'web', events: Array.from({ length: 100_001 }, () => view(0)) })).toThrow(
      'at most 100000',
    );
  });
});

describe('a batch without any good record', () => {
  it('resolves without a job', async () => {
    const millrace = connectInMemory();
    const batch = await millrace.ingestion.enqueue({
      source: 'web',
      events: [{ type: 'view', user: 'u', occurredAt: 1 }],
    });
    expect(batch.parts).toEqual([]);
    expect(await batch.state()).toBe('completed');
    expect(await batch.done()).toEqual({
      accepted: 0,
      duplicates: 0,
      rejected: [expect.objectContaining({ index: 0, code: 'EVENT_INVALID', field: 'item' })],
    });
    for await (const _ of batch.progress()) throw new Error('nothing to follow');
    expect(millrace.enqueued).toEqual([]);
  });
});

describe.skipIf(REDIS_URL === undefined)('a batch over Redis', () => {
  it('sums its parts, maps rejections to the caller, and follows all parts', async () => {
    await using fixture = new RedisFixture();
    const millrace = fixture.connect();
    fixture.worker('ingestion', async (input, job) => {
      const { events, indices } = input as Opened;
      await job.updateProgress({ done: events.length, total: events.length, label: 'events' });
      const rejected = [{ index: indices?.[0] ?? 0, code: 'EVENT_UNKNOWN_ITEM', field: 'item', reason: 'unknown' }];
      return { accepted: events.length - 2, duplicates: 1, rejected };
    });
    const events = Array.from({ length: 4_000 }, (_, index) => view(index, randomUUID()));
    const bad = { type: 'view', user: 'u', item: 'i', value: 101, occurredAt: 1 } as const;
    const batch = await millrace.ingestion.enqueue({ source: 'web', events: [bad, ...events] }, { key: 'b1' });
    const parts = batch.parts.length;
    expect(parts).toBeGreaterThan(1);
    expect(batch.rejected).toMatchObject([{ index: 0, code: 'EVENT_INVALID', field: 'value' }]);
    let last: { done: number; total: number } | undefined;
    for await (const progress of batch.progress()) last = progress;
    expect(last).toEqual({ done: 4_000, total: 4_000, label: 'records' });
    const output = await batch.done();
    expect(output).toMatchObject({ accepted: 4_000 - 2 * parts, duplicates: parts });
    expect(output.rejected).toHaveLength(parts + 1);
    expect(output.rejected.slice(0, 2).map(({ index }) => index)).toEqual([0, 1]);
    expect(await batch.result()).toEqual(output);
    expect(await batch.state()).toBe('completed');
  });

  it('adds nothing for the same batch under the same key, and refuses another one before it adds anything', async () => {
    await using fixture = new RedisFixture();
    const millrace = fixture.connect();
    const events = Array.from({ length: 4_000 }, (_, index) => view(index, randomUUID()));
    const first = await millrace.ingestion.enqueue({ source: 'web', events }, { key: 'b1' });
    const again = await millrace.ingestion.enqueue({ source: 'web', events }, { key: 'b1' });
    expect(again.ids).toEqual(first.ids);
    const queue = new Queue<Envelope>('ingestion', { connection: fixture.redis, prefix: fixture.prefix });
    expect(await queue.getPrioritizedCount()).toBe(first.parts.length);
    for (const other of [events.slice(1), [...events, ...events.slice(0, 3_000)], events.slice(0, first.parts.length)])
      await expect(millrace.ingestion.enqueue({ source: 'web', events: other }, { key: 'b1' })).rejects.toMatchObject({
        code: 'KEY_REUSED',
      });
    expect(await queue.getPrioritizedCount()).toBe(first.parts.length);
    await queue.close();
  });

  it('leaves nothing personal in Redis', async () => {
    await using fixture = new RedisFixture();
    const millrace = fixture.connect();
    const people = [{ id: 'asha-secret', name: 'Asha Secretova' }];
    const batch = await millrace.ingestion.enqueue({ source: 'crm', people });
    const stored = await fixture.redis.hgetall(`${fixture.prefix}:ingestion:${batch.ids[0]}`);
    expect(stored.data).toContain('sealed');
    expect(JSON.stringify(stored).toLowerCase()).not.toContain('secret');
  });

  it('asks for a seal key when none is given', async () => {
    await using fixture = new RedisFixture();
    const { connect } = await import('./connect.ts');
    await using millrace = connect({ redis: fixture.url, prefix: fixture.prefix });
    await expect(millrace.ingestion.enqueue({ source: 'web', events: [view(0)] })).rejects.toThrow('seal');
  });
});
