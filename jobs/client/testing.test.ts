/** The in-memory client: the same contracts, recorded jobs, outputs from handlers or by hand. */
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { AppError } from '../../shared/errors.ts';
import type { JobProgress } from './job-handle.ts';
import { connectInMemory } from './testing.ts';

const SEGMENTS = { version: 'v1', k: 2, people: 3, inertia: 1, silhouette: null, segments: [], consentEpoch: 7 };

describe('a client in memory', () => {
  it('records what was enqueued as a processor would get it, once per key', async () => {
    await using millrace = connectInMemory({ nowMs: () => 1_000 });
    const view = { type: 'view', user: 'u', item: 'i', value: 50, occurredAt: 1 } as const;
    await millrace.ingestion.enqueue({ source: 'web', events: [view] }, { key: 'b' });
    await millrace.ingestion.enqueue({ source: 'web', events: [view] }, { key: 'b' });
    await millrace.segmentation.enqueue({ features: 'f' }, { priority: 1, delayMs: 500 });
    expect(millrace.enqueued).toMatchObject([
      { kind: 'ingestion', input: { source: 'web', events: [view] }, asOf: 1_000 },
      { kind: 'segmentation', input: { features: 'f', restarts: 8, seed: 1 }, priority: 2 ** 18 + 1, delayMs: 500 },
    ]);
    await expect(
      millrace.ingestion.enqueue({ source: 'web', events: [{ ...view, value: 51 }] }, { key: 'b' }),
    ).rejects.toMatchObject({ code: 'KEY_REUSED' });
    await expect(millrace.segmentation.enqueue({ features: 1 } as never)).rejects.toMatchObject({
      code: 'INPUT_INVALID',
    });
  });

  it('answers by handlers, with progress, errors and cancellation', async () => {
    const millrace = connectInMemory({
      handlers: {
        segmentation: async ({ features }, { progress, signal }) => {
          progress({ done: 1, total: 4, label: 'restarts' });
          if (features === 'empty') throw new AppError('DATASET_EMPTY');
          if (features === 'slow') await new Promise((_, reject) => signal.addEventListener('abort', reject));
          return features === 'odd' ? ({} as never) : SEGMENTS;
        },
      },
    });
    const job = await millrace.segmentation.enqueue({ features: 'f' });
    const seen: JobProgress[] = [];
    for await (const progress of job.progress()) seen.push(progress);
    expect(seen).toEqual([{ done: 1, total: 4, label: 'restarts' }]);
    expect(await job.done()).toEqual(SEGMENTS);
    const failing = await millrace.segmentation.enqueue({ features: 'empty' });
    await expect(failing.done()).rejects.toMatchObject({ code: 'DATASET_EMPTY' });
    const odd = await millrace.segmentation.enqueue({ features: 'odd' });
    await expect(odd.done()).rejects.toMatchObject({ code: 'OUTPUT_INVALID' });
    const slow = await millrace.segmentation.enqueue({ features: 'slow' });
    for await (const _ of slow.progress()) await slow.cancel();
    await expect(slow.done()).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(await slow.state()).toBe('cancelled');
  });

  it('lets the test end jobs and pipeline runs by hand', async () => {
    const millrace = connectInMemory();
    const job = await millrace.segmentation.enqueue({ features: 'f' });
    expect(() => millrace.complete(job.id, { version: 1 })).toThrow('OUTPUT_INVALID');
    millrace.complete(job.id, SEGMENTS);
    expect(await job.result()).toEqual(SEGMENTS);
    expect(() => millrace.fail('r0', new AppError('INTERNAL'))).toThrow('NOT_FOUND');
    const started = await millrace.pipelines.auditLive.start();
    const run = await started.run();
    expect(await run.document()).toMatchObject({ state: 'running', steps: { audit: { state: 'waiting' } } });
    const done = run.done();
    millrace.writePipeline({ id: run.id, pipeline: 'audit-live', state: 'committed', steps: {} });
    expect(await done).toMatchObject({ state: 'committed' });
  });

  it('carries inputs above 64 KiB and keeps schedules', async () => {
    const millrace = connectInMemory();
    const params = { noise: randomBytes(60_000).toString('hex') };
    await millrace.embeddingTraining.enqueue({ dataset: 'd', params });
    expect(millrace.enqueued).toMatchObject([{ kind: 'embedding-training', input: { dataset: 'd', params } }]);
    const hourly = { name: 'hourly', pipeline: 'refresh', cron: '0 * * * *' } as const;
    expect(await millrace.schedules.upsert(hourly)).toBe('created');
    expect(await millrace.schedules.upsert(hourly)).toBe('unchanged');
    expect(await millrace.schedules.list()).toMatchObject([{ name: 'hourly', timeZone: 'UTC' }]);
  });
});
