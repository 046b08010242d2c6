/** Training in blocks over two worker processes, one of which is killed in the middle; beside the same training in one process. */
import { expect, test } from 'vitest';
import { connect } from '../../jobs/client/index.ts';
import { bytesOf } from '../../workers/conformance/consents.ts';
import { loadPlatformInto } from '../../workers/conformance/platform.ts';
import { redisUrl, TEST_KEYS } from '../services.ts';
import { asUser, kill, TIMEOUT_MS } from './as-a-user.ts';

test(
  'blocks that two workers solve, one of them killed, make the bytes that one process makes, and are published',
  async () => {
    await using user = await asUser();
    const { store, prefix } = user.services;
    const { dataset } = await loadPlatformInto(store, { people: 700, videos: 600, events: 30_000 });
    await using millrace = connect({ redis: redisUrl, prefix, seal: TEST_KEYS.sealKeys });
    const [first] = [await user.worker(), await user.worker()];
    const modelParams = { factors: 16, epochs: 4 };
    const started = await millrace.pipelines['refresh-sharded'].start({ modelParams, blocks: 2, parallel: 4 });
    for await (const { steps } of started.progress())
      if (Object.keys(steps).some((name) => name.startsWith('epochs[1]'))) break;
    await kill(first);
    await started.done();
    const live = (await store.releases.live('main'))!;
    const input = { dataset, params: modelParams, holdout: 0, plainSimd: true };
    const whole = await (await millrace['embedding-training'].enqueue(input)).done();
    expect(await bytesOf(store, live.embeddings!)).toEqual(await bytesOf(store, whole.version));
    const { id: run } = await started.run();
    const solved = Object.keys((await store.pipelineRuns.read(run))!.steps).filter((name) =>
      /\/(users|items)\[/.test(name),
    );
    expect(solved).toHaveLength(4 * 4);
  },
  TIMEOUT_MS,
);
