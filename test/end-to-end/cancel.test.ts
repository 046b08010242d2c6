/** Cancelling as a person does, with the command: what waits, what is at work in another process, a pipeline run, and what has ended. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect } from '../../jobs/client/index.ts';
import { asUser, TIMEOUT_MS, type User } from './as-a-user.ts';

let user: User;
let client: ReturnType<typeof connect>;
beforeAll(async () => {
  user = await asUser();
  const { redisUrl: redis, prefix, sealKeys: seal } = user.services.config;
  client = connect({ redis, prefix, seal });
});
afterAll(async () => {
  await client.close();
  await user[Symbol.asyncDispose]();
});

test(
  'ends a job that waits, a pipeline run, and leaves alone what has ended',
  async () => {
    const job = await client.ingestion.enqueue({ compact: {} }, { key: 'waits' });
    expect(await user.json('cancel', job.runKey)).toEqual({
      run: job.runKey,
      what: 'job',
      asked: true,
      state: 'waiting',
    });
    const started = await client.pipelines.refresh.start({}, { key: 'cancelled' });
    await user.worker();
    await expect(job.done({ timeoutMs: TIMEOUT_MS })).rejects.toMatchObject({ code: 'CANCELLED' });
    const ended = await user.json('cancel', job.runKey.slice(-64, -52));
    expect(ended).toEqual({ run: job.runKey, what: 'job', asked: false, state: 'cancelled' });

    // An empty store: its first step fails, unless the cancel comes first. Either way the command says how the run has ended.
    const run = await started.run({ timeoutMs: TIMEOUT_MS });
    const { state, what } = await user.json<{ state: string; what: string }>('cancel', run.id, '--wait');
    expect(what).toBe('pipeline run');
    expect(state).toBe(await run.state());
  },
  TIMEOUT_MS,
);
