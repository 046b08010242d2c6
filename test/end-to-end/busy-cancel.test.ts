/** A job that computes for ever in a thread ends as cancelled, and is not tried again, whoever asks for it: the client, the command, the dashboard. */
import { expect, test } from 'vitest';
import { dashboardFixture, tokenOf } from '../../dashboard/dashboard-fixture.ts';

import { connect } from '../../jobs/client/index.ts';
import { computePool } from '../../shared/compute/pool.ts';
import { contractOf, failureOf, probe, runOf, start } from '../../workers/runtime/runtime-fixture.ts';
import { redisUrl, type TestServices, testServices } from '../services.ts';
import { asUser, TIMEOUT_MS } from './as-a-user.ts';

const module = new URL('../../shared/compute/pool.fixture.ts', import.meta.url).href;

const ENDED = { code: 'CANCELLED', loads: 1, run: { state: 'cancelled', fence: 1 } };

/** Cancels a busy loop in the way given, and tells how it has ended. */
async function cancelled(
  services: TestServices,
  cancel: (runKey: string, id: string) => Promise<unknown>,
): Promise<unknown> {
  await using threads = computePool({ threads: 1 });
  const started = new Int32Array(new SharedArrayBuffer(8));
  // By the name of a kind that there is: the client and the command know no other.
  const { processor, calls } = probe(
    { ...contractOf('dataset'), kind: 'segmentation' as 'probe-dataset' },
    {
      compute: async (n, { pool, signal }) => {
        await pool.runPhase([{ module, name: 'spin', payload: { started: started.buffer } }], signal);
        return n;
      },
    },
  );
  const host = await start(services, processor, { threads });
  const { job, done, runKey } = await host.enqueue(5);
  const failure = failureOf(done());
  await Atomics.waitAsync(started, 0, 0).value;
  await cancel(runKey, job.id as string);
  const { code } = await failure;
  const { state, fence } = await runOf(services, runKey);
  return { code, loads: calls.load, run: { state, fence } };
}

test('through the client', async () => {
  await using services = await testServices();
  const client = connect({ redis: redisUrl, prefix: services.prefix, seal: services.config.sealKeys });
  const asked = async (_runKey: string, id: string) => (await client.job('segmentation').get(id))?.cancel();
  expect(await cancelled(services, asked)).toEqual(ENDED);
  await client.close();
});

test('through the dashboard', async () => {
  await using dashboard = await dashboardFixture();
  const asked = async (runKey: string) => {
    const operator = await dashboard.visitor('operator');
    const page = `/runs/${runKey}`;
    await operator.post(`${page}/cancel`, { _csrf: tokenOf((await operator.get(page)).body) });
  };
  expect(await cancelled(dashboard.services, asked)).toEqual(ENDED);
});

test(
  'through the command',
  async () => {
    await using user = await asUser();
    expect(await cancelled(user.services, (runKey) => user.json('cancel', runKey))).toEqual(ENDED);
  },
  TIMEOUT_MS,
);
