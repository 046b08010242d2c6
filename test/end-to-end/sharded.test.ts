/** Training in blocks over two worker processes, one of which is killed in the middle; beside the same training in one process. */
import { expect, test } from 'vitest';
import { connect } from '../../jobs/client/index.ts';
import { bytesOf } from '../../workers/conformance/consents.ts';
import { loadPlatformInto } from '../../workers/conformance/platform.ts';
import { redisUrl, TEST_KEYS } from '../services.ts';
import { asUser, kill, TIMEOUT_MS } from './as-a-user.ts';

const TRAININGS = [
  // Four epochs of two sides of two blocks.
  { model: 'ials', modelParams: { factors: 16, epochs: 4 }, steps: /\/(users|items)\[/, count: 4 * 4 },
  // Two epochs in a round each, of two sweeps of two strata.
  {
    model: 'item2vec',
    modelParams: { factors: 16, epochs: 2, blocks: 2, roundPairs: 5_000_000 },
    steps: /\/sweep-\d\[/,
    count: 2 * 2 * 2,
  },
] as const;

test.each(TRAININGS)(
  'blocks of $model that two workers learn, one of them killed, make the bytes that one process makes, and are published',
  async ({ count, model, modelParams, steps: learned }) => {
    await using user = await asUser();
    const { store, prefix } = user.services;
    const { dataset } = await loadPlatformInto(store, { people: 700, videos: 600, events: 30_000 });
    await using millrace = connect({ redis: redisUrl, prefix, seal: TEST_KEYS.sealKeys });
    const [first] = [await user.worker(), await user.worker()];
    const started = await millrace.pipelines['refresh-sharded'].start({ model, modelParams, blocks: 2, parallel: 4 });
    for await (const { steps } of started.progress())
      if (Object.keys(steps).some((name) => name.startsWith('epochs[1]'))) break;
    await kill(first);
    await started.done();
    const live = (await store.releases.live('main'))!;
    const input = { dataset, model, params: modelParams, holdout: 0, plainSimd: true };
    const whole = await (await millrace['embedding-training'].enqueue(input)).done();
    expect(await bytesOf(store, live.embeddings!)).toEqual(await bytesOf(store, whole.version));
    const { id: run } = await started.run();
    const names = Object.keys((await store.pipelineRuns.read(run))!.steps);
    expect(names.filter((name) => learned.test(name))).toHaveLength(count);
  },
  TIMEOUT_MS,
);
