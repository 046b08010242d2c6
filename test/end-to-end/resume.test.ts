/** A training whose process is killed, taken up by another process from the last epoch that was kept. */
import { expect, test } from 'vitest';
import { connect } from '../../jobs/client/index.ts';
import { bytesOf } from '../../workers/conformance/consents.ts';
import { loadPlatformInto } from '../../workers/conformance/platform.ts';
import { redisUrl, TEST_KEYS } from '../services.ts';
import { asUser, kill, TIMEOUT_MS } from './as-a-user.ts';

test(
  'a training that was killed with its process is finished by another, byte by byte as if it had not been',
  async () => {
    await using user = await asUser();
    const { store, prefix } = user.services;
    const { dataset } = await loadPlatformInto(store);
    await using millrace = connect({ redis: redisUrl, prefix, seal: TEST_KEYS.sealKeys });
    const training = millrace['embedding-training'];
    const input = { dataset, params: { factors: 32, epochs: 150 } };
    const env = { MILLRACE_CHECKPOINT_SECONDS: '0', MILLRACE_LOG: 'info', MILLRACE_KINDS: 'embedding-training' };

    const first = user.start('workers/main.ts', [], env);
    await first.line(/^\{"ready"/);
    const killed = await training.enqueue(input, { key: 'killed' });
    for await (const { done, total } of killed.progress()) if (done / total > 0.25) break;
    await kill(first);
    expect(await store.checkpoints.runs(10)).toHaveLength(1);

    const second = user.start('workers/main.ts', [], { ...env, MILLRACE_THREADS: '1' });
    expect(await second.line(/goes on from a checkpoint/)).toMatch(/"epoch":[1-9]/);
    const resumed = await killed.done();
    const whole = await (await training.enqueue(input, { key: 'whole' })).done();
    expect(await bytesOf(store, resumed.version)).toEqual(await bytesOf(store, whole.version));
    expect(resumed.metrics).toEqual(whole.metrics);
  },
  TIMEOUT_MS,
);
