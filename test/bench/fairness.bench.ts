/**
 * Owns the benchmark of fairness: how long ten jobs of one tenant take while another has very many waiting, beside the same ten alone
 * and, with plain BullMQ, behind the same backlog in one queue.
 *
 *   npm run bench -- fairness            20,000 jobs wait
 *   npm run bench -- fairness 1000000    a million; plain BullMQ is left out, it would take as long as they do
 */
import { randomBytes } from 'node:crypto';
import { Queue, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { z } from 'zod';
import { AdmittingQueue } from '../../jobs/client/admitting-queue.ts';
import { makeJob } from '../../jobs/client/make-job.ts';
import { setQueueLimit } from '../../jobs/client/queue-limits.ts';
import { defineJob } from '../../shared/contract-kit/define-job.ts';
import { BacklogRelease } from '../../workers/runtime/backlog.ts';
import { testServices } from '../services.ts';
import { machine } from './interleave.ts';

const QUIET_JOBS = 10;
const BULK = 1_000;
const CONCURRENCY = 10;
const PLAIN_JOBS_MAX = 50_000;

const contract = defineJob({
  kind: 'fairness',
  version: 1,
  title: 'Does nothing.',
  input: z.strictObject({}),
  output: z.object({}),
  personal: false,
  effect: 'none',
  purposes: [],
});

function jobs(tenant: string, count: number) {
  return Array.from({ length: count }, () => {
    const made = makeJob(contract, {}, { tenant, asOf: 1 });
    if (!made.fits) throw new Error('an empty input must fit');
    return made.job;
  });
}

/** Milliseconds until the quiet tenant's jobs are done, and how many of the busy one's were done meanwhile. */
async function until(redis: Redis, prefix: string, name: string, add: () => Promise<unknown>) {
  let quiet = 0;
  let busy = 0;
  const done = Promise.withResolvers<void>();
  const worker = new Worker(name, async () => ({}), { connection: redis, prefix, concurrency: CONCURRENCY });
  worker.on('completed', ({ data }: { data: { tenant: string } }) => {
    if (data.tenant === 'busy') busy += 1;
    else quiet += 1;
    if (quiet === QUIET_JOBS) done.resolve();
  });
  await using release = new BacklogRelease(redis, prefix, worker);
  await worker.waitUntilReady();
  busy = 0;
  const started = performance.now();
  await add();
  await done.promise;
  const ms = performance.now() - started;
  const meanwhile = busy;
  await worker.close();
  await release.flush();
  return { ms, meanwhile };
}

const shown = ({ ms, meanwhile }: { ms: number; meanwhile: number }): string =>
  `${ms.toFixed(1).padStart(10)} ms, ${meanwhile.toLocaleString('en')} of the other tenant's done meanwhile`;

/** `--full`: a million; else the number that is given. */
export async function main([count = '20000']: readonly string[] = []): Promise<void> {
  const backlog = count === '--full' ? 1_000_000 : Number(count);
  if (!Number.isSafeInteger(backlog) || backlog < 1) {
    console.error(`USAGE: npm run bench -- fairness [--full | JOBS]; "${count}" is no number of jobs.`);
    process.exitCode = 2;
    return;
  }
  console.log(`fairness benchmark on ${machine()}: ten jobs of one tenant, ${backlog.toLocaleString('en')} of another`);
  await using services = await testServices();
  const { redis, prefix } = services;
  const queue = new AdmittingQueue(contract.kind, redis, prefix);
  const plain = new Queue('plain', { connection: redis, prefix });
  await setQueueLimit(redis, prefix, contract.kind, { tenant: 'busy', backlogMax: backlog + 1 });
  console.log(
    `  alone                  ${shown(await until(redis, prefix, contract.kind, () => queue.add(jobs('quiet', QUIET_JOBS))))}`,
  );
  const started = performance.now();
  for (let from = 0; from < backlog; from += BULK) await queue.add(jobs('busy', Math.min(BULK, backlog - from)));
  const seconds = (performance.now() - started) / 1000;
  const memory = /used_memory:(\d+)/.exec(await redis.info('memory'))?.[1];
  console.log(`  backlog enqueued in ${seconds.toFixed(1)} s; Redis holds ${(Number(memory) / 2 ** 20).toFixed(0)} MB`);
  console.log(
    `  behind the backlog     ${shown(await until(redis, prefix, contract.kind, () => queue.add(jobs('quiet', QUIET_JOBS))))}`,
  );
  await queue.queue.obliterate({ force: true });
  if (backlog <= PLAIN_JOBS_MAX) {
    const add = (tenant: string, many: number): Promise<unknown> =>
      plain.addBulk(
        Array.from({ length: many }, () => ({
          name: 'plain',
          data: { tenant },
          opts: { jobId: `r${randomBytes(16).toString('hex')}` },
        })),
      );
    for (let from = 0; from < backlog; from += BULK) await add('busy', Math.min(BULK, backlog - from));
    console.log(
      `  plain BullMQ, behind   ${shown(await until(redis, prefix, 'plain', () => add('quiet', QUIET_JOBS)))}`,
    );
    await plain.obliterate({ force: true });
  }
  await Promise.all([queue.close(), plain.close()]);
}
