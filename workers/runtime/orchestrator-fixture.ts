/** Owns a pipeline run for tests of the orchestrator: a real store and Redis, and a stand-in for the workers. */
import { onTestFinished } from 'vitest';
import { z } from 'zod';
import type { Pipeline, Step } from '../../jobs/define-pipeline.ts';
import { defineJob } from '../../shared/contract-kit/define-job.ts';
import { AppError } from '../../shared/errors.ts';
import type { PipelineRunDocument } from '../../shared/store/ports.ts';
import { silentLog, type TestServices } from '../../test/services.ts';
import { CancelWatch } from './cancellation.ts';
import { Enqueuer } from './enqueuer.ts';
import { Orchestrator } from './orchestrator.ts';

export const part = defineJob({
  kind: 'part',
  version: 1,
  title: 'A step of the tests.',
  input: z.strictObject({ name: z.string(), of: z.array(z.string()) }),
  output: z.object({ name: z.string(), more: z.string().optional() }),
  personal: false,
  effect: 'dataset',
  purposes: [],
});

export const step = (name: string, after: readonly string[], input?: Step['input']): Step => ({
  contract: part,
  after,
  input: input ?? (({ output }) => ({ name, of: after.map((earlier) => output(earlier, part).name) })),
});

export async function openRun(services: TestServices, pipeline: Pipeline) {
  const { redis, prefix, store } = services;
  const stack = new AsyncDisposableStack();
  onTestFinished(() => stack.disposeAsync());
  const enqueuer = stack.use(
    new Enqueuer({
      redis,
      prefix,
      contracts: { part: part },
      claims: store.claims,
      ring: undefined,
    }),
  );
  const cancels = stack.use(await CancelWatch.open(redis, prefix));
  const orchestrator = new Orchestrator({
    store,
    redis,
    prefix,
    enqueuer,
    cancels,
    log: silentLog,
    pipelineOf: () => pipeline,
  });
  const queue = enqueuer.queue('part');
  const id = `main.${pipeline.name}.1`;
  const document: PipelineRunDocument = {
    id,
    tenant: 'main',
    pipeline: pipeline.name,
    params: {},
    asOf: 1,
    live: {},
    state: 'running',
    seq: 1,
    steps: Object.fromEntries(Object.keys(pipeline.steps).map((name) => [name, { state: 'waiting' as const }])),
    createdAt: 1,
    changedAt: 1,
  };
  await store.pipelineRuns.create(document);
  const read = async (): Promise<PipelineRunDocument> => {
    const found = await store.pipelineRuns.read(id);
    if (found === undefined) throw new Error('the run is gone');
    return found;
  };
  return {
    id,
    orchestrator,
    queue,
    cancels,
    read,
    states: async () =>
      Object.fromEntries(Object.entries((await read()).steps).map(([name, { state }]) => [name, state])),
    /** What a worker would do with a step's job, straight in the ledger. */
    async finish(name: string, how: 'committed' | 'dead-lettered' = 'committed', more?: string) {
      const runKey = (await read()).steps[name]?.runKey;
      if (runKey === undefined) throw new Error(`step ${name} was not enqueued`);
      const { run } = await store.ledger.claim({
        runKey,
        tenant: 'main',
        kind: 'part',
        contractVersion: 1,
        inputHash: 'h',
        asOf: 1,
        codeVersion: 'x',
      });
      if (how === 'committed')
        await store.ledger.commit({
          runKey,
          fence: run.fence,
          output: { name, more },
          next: [],
          lineage: { inputs: [] },
        });
      else
        await store.ledger.end(
          runKey,
          run.fence,
          how,
          new AppError('INTERNAL', { message: `${name} broke.` }).toJSON(),
        );
      await store.ledger.markFollowed(runKey);
    },
    jobs: async () =>
      (await queue.getJobs(['prioritized']))
        .map(({ data }) => (data as { input: { name: string; of: string[] } }).input)
        .sort((x, y) => (x.name < y.name ? -1 : 1)),
  };
}
