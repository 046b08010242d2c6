/** The queue of plain BullMQ, beside the guarantees of the same rows in docs/guarantees.md: each test shows what it does not give. */
import { FlowProducer } from 'bullmq';
import { expect, test, vi } from 'vitest';
import { plainBullMq, QUEUE } from './plain-fixture.ts';

test('a payload of any shape is taken, and reaches the processor', async () => {
  const { queue, events, worker } = await plainBullMq();
  worker(async ({ data }) => typeof (data as { count: unknown }).count);
  const job = await queue.add('job', { count: 'not a number', typo: true });
  expect(await job.waitUntilFinished(events)).toBe('string');
});

test('a repeat of the old kind is taken without a word, and nothing recurs', async () => {
  const { queue, worker } = await plainBullMq();
  const old = { repeat: { every: 50 } } as object;
  await queue.add('job', {}, { ...old });
  worker(async () => {});
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(await queue.getJobSchedulersCount()).toBe(0);
});

test('ticks that were missed are not caught up: of ten there is one', async () => {
  const { queue } = await plainBullMq();
  await queue.upsertJobScheduler('each-50-ms', { every: 50 }, { name: 'tick' });
  await new Promise((resolve) => setTimeout(resolve, 600));
  const { waiting = 0, delayed = 0, prioritized = 0 } = await queue.getJobCounts();
  expect(waiting + delayed + prioritized).toBe(1);
});

test('a hundred vectors of 128 floats lie in Redis as 200 KB of text and more', async () => {
  const { connection, queue, prefix } = await plainBullMq();
  const vectors = Array.from({ length: 100 }, (_, n) => Array.from({ length: 128 }, (_, at) => Math.sin(n * 128 + at)));
  const job = await queue.add('job', { vectors });
  const bytes = await connection.hstrlen(`${prefix}:${QUEUE}:${job.id}`, 'data');
  expect(bytes).toBeGreaterThan(200_000);
  expect(new Float32Array(vectors.flat()).byteLength).toBe(51_200);
});

test('a step has one parent: the second branch of a diamond waits for it for ever', async () => {
  const { connection, prefix, queue, events, worker, stack } = await plainBullMq();
  const flows = new FlowProducer({ connection, prefix });
  stack.defer(() => flows.close());
  const shared = { name: 'first', queueName: QUEUE, opts: { jobId: 'first' } };
  const branch = (name: string) => ({ name, queueName: QUEUE, opts: { jobId: name }, children: [shared] });
  const { job: left } = await flows.add(branch('left'));
  const { job: right } = await flows.add(branch('right'));
  worker(async ({ name }) => name);
  expect(await left.waitUntilFinished(events)).toBe('left');
  expect(await queue.getJobState('first')).toBe('completed');
  expect(await right.getState()).toBe('waiting-children');
});

test('a failed step leaves those after it waiting for ever', async () => {
  const { connection, prefix, queue, events, worker, stack } = await plainBullMq();
  const flows = new FlowProducer({ connection, prefix });
  stack.defer(() => flows.close());
  const failed = new Promise<void>((resolve) => void events.once('failed', () => resolve()));
  await flows.add({
    name: 'join',
    queueName: QUEUE,
    opts: { jobId: 'join' },
    children: [{ name: 'step', queueName: QUEUE }],
  });
  worker(async () => {
    throw new Error('no');
  });
  await failed;
  expect(await (await queue.getJob('join'))?.getState()).toBe('waiting-children');
});

test('a queue is emptied by one command, however many jobs it holds: nobody else is answered meanwhile', async () => {
  const { connection, queue } = await plainBullMq();
  await queue.addBulk(Array.from({ length: 3_000 }, () => ({ name: 'job', data: {} })));
  const sent = vi.spyOn(connection, 'sendCommand');
  await queue.drain();
  const scripts = sent.mock.calls.filter(([{ name }]) => name.startsWith('eval'));
  sent.mockRestore();
  expect(scripts).toHaveLength(1);
  expect(await queue.count()).toBe(0);
});
