/**
 * Owns the benchmark of retention: what a bystander of Redis waits for while many finished jobs are removed, by the pruner and, beside it,
 * by BullMQ's own `clean` in one call. `--jobs N` (default 200,000), `--full` (1,000,000), `--only-ours`.
 */
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Worker as Thread } from 'node:worker_threads';
import { Queue, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { kindOptions } from '../../jobs/client/make-job.ts';
import { segmentation } from '../../jobs/segmentation/contract.ts';
import { Pruner } from '../../workers/runtime/pruner.ts';
import { redisUrl, testServices } from '../services.ts';
import { machine } from './interleave.ts';
import type { ProbeData, Probed } from './redis-probe.ts';

const P99_MS_MAX = 50;
const IDLE_MS = 3000;
const FILLED_AT_ONCE = 500;

/** Many completed jobs: one is run by BullMQ, the others are copies of what it left in Redis. */
async function filled(redis: Redis, prefix: string, name: string, jobs: number): Promise<Queue> {
  const queue = new Queue(name, { connection: redis, prefix });
  const worker = new Worker(name, async () => ({ ok: true }), { connection: redis.duplicate(), prefix });
  const ended = once(worker, 'completed');
  await queue.add(name, { text: 'x'.repeat(600) }, { ...kindOptions(segmentation), jobId: 'j0' });
  await ended;
  await worker.close();
  const endedAt = Date.now() - 48 * 3600_000;
  for (let from = 1; from < jobs; from += FILLED_AT_ONCE) {
    const pipe = redis.pipeline();
    for (let n = from; n < Math.min(jobs, from + FILLED_AT_ONCE); n++)
      pipe.copy(queue.toKey('j0'), queue.toKey(`j${n}`)).zadd(queue.toKey('completed'), endedAt + n, `j${n}`);
    await pipe.exec();
  }
  await redis.zadd(queue.toKey('completed'), 'XX', endedAt, 'j0');
  return queue;
}

async function probing(work: () => Promise<unknown>): Promise<Probed & { readonly seconds: number }> {
  const over = new Int32Array(new SharedArrayBuffer(4));
  const workerData: ProbeData = { url: redisUrl, over };
  const thread = new Thread(new URL('./redis-probe.ts', import.meta.url), { workerData });
  await once(thread, 'message');
  const started = performance.now();
  await work();
  const seconds = (performance.now() - started) / 1000;
  const answered = once(thread, 'message');
  Atomics.store(over, 0, 1);
  const [probed] = (await answered) as [Probed];
  await thread.terminate();
  return { ...probed, seconds };
}

function line(what: string, { asked, p50, p99, max, seconds }: Awaited<ReturnType<typeof probing>>): void {
  const ms = (value: number): string => value.toFixed(2).padStart(9);
  console.log(
    `${what.padEnd(34)} ${seconds.toFixed(1).padStart(7)} s  p50 ${ms(p50)} ms  p99 ${ms(p99)} ms  max ${ms(max)} ms  (${asked} asked)`,
  );
}

export async function main(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      jobs: { type: 'string', default: '200000' },
      full: { type: 'boolean', default: false },
      'only-ours': { type: 'boolean', default: false },
    },
  });
  const jobs = values.full ? 1_000_000 : Number(values.jobs);
  if (!Number.isSafeInteger(jobs) || jobs < 1) throw new Error('USAGE: --jobs takes a whole number of at least 1');
  console.log(machine());
  await using services = await testServices();
  const { redis, prefix } = services;
  line('nobody removes anything', await probing(() => delay(IDLE_MS)));
  const queue = await filled(redis, prefix, 'ours', jobs);
  const pruner = new Pruner([queue], { completedMs: 24 * 3600_000, completedMax: 10_000, failedMs: 7 * 24 * 3600_000 });
  const ours = await probing(() => pruner.prune(async () => true));
  line(`pruner, ${jobs} jobs`, ours);
  const left = await queue.getCompletedCount();
  await queue.close();
  if (!values['only-ours']) {
    const plain = await filled(redis, prefix, 'plain', jobs);
    line(`BullMQ clean in one, ${jobs} jobs`, await probing(() => plain.clean(24 * 3600_000, 0, 'completed')));
    await plain.close();
  }
  const isHeld = ours.p99 < P99_MS_MAX && left === 0;
  console.log(
    `${isHeld ? 'HELD' : 'BROKEN'}: p99 ${ours.p99.toFixed(2)} ms of at most ${P99_MS_MAX}; ${left} jobs left of ${jobs}`,
  );
  if (!isHeld) process.exitCode = 1;
}
