/** Types of the client: what completes, and what is a red line before it is an error. */
import { describe, expect, expectTypeOf, it } from 'vitest';
import type { Rejection } from '../../shared/contract-kit/event.ts';
import { JOB_KINDS, type OutputOf } from '../registry.ts';
import { PIPELINE_NAMES } from '../pipelines.ts';
import type { BatchHandle } from './batch-handle.ts';
import { connect } from './connect.ts';
import type { KindClient } from './job-client.ts';
import type { JobHandle } from './job-handle.ts';
import { camelCase, type CamelCase, type Millrace } from './millrace.ts';
import type { RecommendationsResponse } from './responses.ts';
import { connectInMemory } from './testing.ts';

describe('the types of the client', () => {
  it('offer every kind under both its names, at run time too', () => {
    expectTypeOf<CamelCase<'candidate-generation'>>().toEqualTypeOf<'candidateGeneration'>();
    expectTypeOf<Millrace['biasAudit']>().toEqualTypeOf<KindClient<'bias-audit'>>();
    expectTypeOf<Millrace['embedding-training']>().toEqualTypeOf<Millrace['embeddingTraining']>();
    const millrace = connectInMemory();
    for (const kind of JOB_KINDS) {
      expect(millrace[kind]).toBe(millrace.job(kind));
      expect(Reflect.get(millrace, camelCase(kind))).toBe(millrace.job(kind));
    }
    for (const name of PIPELINE_NAMES) expect(millrace.pipelines[name].name).toBe(name);
    expect(millrace.pipelines.refreshSegments).toBe(millrace.pipelines['refresh-segments']);
    // @ts-expect-error there is no such kind
    expect(() => millrace.job('segments')).toThrow('KIND_UNKNOWN');
  });

  it('infer inputs and outputs from the contracts', () => {
    const calls = async (millrace: Millrace) => {
      const job = await millrace.segmentation.enqueue(
        { features: 'f', k: 3 },
        { key: 'k', signal: AbortSignal.timeout(1) },
      );
      expectTypeOf(job).toEqualTypeOf<JobHandle<'segmentation'>>();
      expectTypeOf(await job.done()).toEqualTypeOf<OutputOf<'segmentation'>>();
      expectTypeOf(await job.result()).toEqualTypeOf<OutputOf<'segmentation'> | undefined>();
      for await (const progress of job.progress()) expectTypeOf(progress.done).toBeNumber();
      const batch = await millrace.ingestion.enqueue({ source: 'web', items: [{ id: 'i', title: 't' }] });
      expectTypeOf(batch).toEqualTypeOf<BatchHandle>();
      expectTypeOf((await batch.done()).rejected).toEqualTypeOf<Rejection[]>();
      expectTypeOf(await millrace.ingestion.enqueue({ compact: {} })).toEqualTypeOf<JobHandle<'ingestion'>>();
      expectTypeOf(await millrace.recommendations.get('u', { k: 5 })).toEqualTypeOf<RecommendationsResponse>();
      await millrace.pipelines.refresh.start();
      // @ts-expect-error a field that the contract does not know
      await millrace.segmentation.enqueue({ feature: 'f' });
      // @ts-expect-error a value of the wrong type
      await millrace.segmentation.enqueue({ features: 'f', k: '3' });
      // @ts-expect-error an event type that does not exist
      await millrace.ingestion.enqueue({ source: 'web', events: [{ type: 'viewed', user: 'u', occurredAt: 1 }] });
      // @ts-expect-error a model that does not exist
      await millrace.pipelines.refresh.start({ model: 'magic' });
      // @ts-expect-error an option that does not exist
      await millrace.segmentation.enqueue({ features: 'f' }, { id: 'x' });
      // @ts-expect-error a pipeline that does not exist
      await millrace.schedules.upsert({ name: 'n', pipeline: 'nightly', cron: '0 3 * * *' });
    };
    expectTypeOf(calls).returns.resolves.toBeVoid();
    expectTypeOf(connect).parameter(0).toExtend<{ redis: string | undefined }>();
  });
});
