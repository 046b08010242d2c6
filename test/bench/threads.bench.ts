/**
 * Owns the benchmark of threads: jobs whose kernel runs in our pool, beside the same jobs computed on the event loop, and beside BullMQ's own sandboxed
 * threads. Without a kernel it shows what handing over costs; with one of two milliseconds, what is left of that where there is work.
 */
import { availableParallelism } from 'node:os';
import { Queue, Worker } from 'bullmq';
import { computePool, inlinePool } from '../../shared/compute/pool.ts';
import { type TestServices, testServices } from '../services.ts';
import { type Comparison, interleave, machine, report } from './interleave.ts';
import { rawAdd } from './queue/adding.ts';
import { ourRunner, type Runner, type RunnerOptions, timed } from './queue/running.ts';
import { queryOf } from './threads/kernel.task.ts';
import { KERNEL_ITEMS } from './threads/sandboxed.ts';

const INLINE_SHARE_MIN = 0.7;
const SANDBOX_RATIO_MIN = 1.5;

const WORK = {
  nothing: { items: 0, jobs: 2_000, sandboxed: new URL('./threads/sandboxed-nothing.ts', import.meta.url) },
  kernel: { items: KERNEL_ITEMS, jobs: 400, sandboxed: new URL('./threads/sandboxed-kernel.ts', import.meta.url) },
} as const;
type WorkName = keyof typeof WORK;

const module = new URL('./threads/kernel.task.ts', import.meta.url).href;

const computeIn =
  (items: number): NonNullable<RunnerOptions['compute']> =>
  async (length, { pool, signal }) => {
    const payload = { items, query: queryOf(length as number) };
    const [best = 0] = await pool.runPhase<number>([{ module, name: 'best', payload }], signal);
    return best + 1;
  };

/** BullMQ's own threads, one for each job at once. They are there before the clock runs, as ours are. */
async function sandboxRunner({ redis, prefix }: TestServices, concurrency: number, processor: URL): Promise<Runner> {
  const queue = new Queue('raw-sandboxed', { connection: redis, prefix });
  const worker = new Worker(queue.name, processor, {
    connection: redis,
    prefix,
    concurrency,
    autorun: false,
    useWorkerThreads: true,
  });
  await rawAdd(queue, concurrency * 2);
  await timed(worker, concurrency * 2);
  await worker.pause();
  return {
    async run(jobs) {
      await rawAdd(queue, jobs);
      const measured = await timed(worker, jobs, () => void worker.resume());
      await worker.pause();
      await queue.obliterate({ force: true });
      return measured;
    },
    [Symbol.asyncDispose]: async () => {
      await worker.close();
      await queue.close();
    },
  };
}

async function bench(services: TestServices, name: WorkName, concurrency: number): Promise<Comparison> {
  const { items, jobs, sandboxed } = WORK[name];
  const compute = computeIn(items);
  await using threads = computePool();
  await using nowhere = inlinePool();
  await using ours = await ourRunner(services, 'none', concurrency, { threads, compute });
  await using inline = await ourRunner(services, 'none', concurrency, { threads: nowhere, compute });
  await using sandbox = await sandboxRunner(services, concurrency, sandboxed);
  const side = (label: string, runner: Runner) => ({ name: label, work: () => runner.run(jobs) });
  const words = name === 'nothing' ? 'no kernel' : 'a kernel of 2 ms';
  return await interleave({
    name: `jobs in ${threads.threads} threads, ${words}, c = ${concurrency}`,
    unit: 'jobs',
    target: INLINE_SHARE_MIN,
    ours: side('millrace executor, its thread pool', ours),
    peer: side('millrace executor, inline', inline),
    beside: { ...side('bullmq worker, useWorkerThreads', sandbox), target: SANDBOX_RATIO_MIN },
  });
}

/** All, or those of the words given: `kernel`, `nothing-100`. */
export async function main(words: readonly string[] = []): Promise<void> {
  console.log(`benchmark of threads on ${machine()}, ${availableParallelism()} threads at once`);
  // Each thread of BullMQ's has its output piped to ours.
  for (const output of [process.stdout, process.stderr]) output.setMaxListeners(0);
  await using services = await testServices();
  const results: Comparison[] = [];
  for (const name of ['nothing', 'kernel'] as const)
    for (const concurrency of [10, 100]) {
      if (words.length > 0 && !words.some((word) => word === name || word === `${name}-${concurrency}`)) continue;
      const comparison = await bench(services, name, concurrency);
      results.push(comparison);
      report(comparison);
    }
  console.log(JSON.stringify(results));
}
