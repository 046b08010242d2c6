/** What becomes of the jobs of processes that die: run again soon, once, and parked when it is they that kill. Real processes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { Queue, QueueEvents } from 'bullmq';
import { expect, onTestFinished, test } from 'vitest';
import { makeJob } from '../../jobs/client/make-job.ts';
import type { Contract } from '../../shared/contract-kit/define-job.ts';
import { EFFECT_CLASSES } from '../../shared/contract-kit/define-job.ts';
import { mongodbUrl, redisUrl, type TestServices, testServices } from '../../test/services.ts';
import { ALONE_MAX } from './isolation.ts';
import { type MortalMessage, type MortalOptions, MORTALS } from './mortal-fixture.ts';
import { runOf } from './runtime-fixture.ts';

/** The promise, with the defaults of every worker. */
const RECOVERY_MS_MAX = 10_000;
const ENTRY = new URL('./mortal-fixture.ts', import.meta.url).pathname;

type Heard = MortalMessage & { readonly atMs: number };

/** A worker process; it dies with its test. */
class Mortal {
  readonly heard: Heard[] = [];
  readonly child: ChildProcess;
  readonly #waiting = new Set<() => void>();

  constructor({ database, prefix }: TestServices, options: Partial<MortalOptions> = {}) {
    const argument: MortalOptions = { redisUrl, mongodbUrl, database, prefix, ...options };
    this.child = spawn(process.execPath, [ENTRY, JSON.stringify(argument)], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    onTestFinished(() => void this.child.kill('SIGKILL'));
    this.child.on('message', (message) => {
      this.heard.push({ ...(message as MortalMessage), atMs: performance.now() });
      for (const look of this.#waiting) look();
    });
  }

  /** Resolves to what was heard of that type once there is so much of it. */
  async hear<T extends MortalMessage['type']>(type: T, count = 1): Promise<Extract<Heard, { type: T }>[]> {
    const found = () => this.heard.filter((one): one is Extract<Heard, { type: T }> => one.type === type);
    await new Promise<void>((resolve) => {
      const look = (): void => {
        if (found().length < count) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
    return found();
  }
}

/** Queues of all three kinds, and what they end with. */
async function queuesOf({ redis, prefix }: TestServices) {
  const stack = new AsyncDisposableStack();
  onTestFinished(() => stack.disposeAsync());
  const ends = new Map<string, 'completed' | 'failed'>();
  const waiting = new Set<() => void>();
  const queues = new Map<string, Queue>();
  for (const { kind } of Object.values(MORTALS)) {
    const queue = new Queue(kind, { connection: redis, prefix });
    stack.defer(() => queue.close());
    queues.set(kind, queue);
    const events = new QueueEvents(kind, { connection: redis.duplicate(), prefix, lastEventId: '0' });
    stack.defer(() => events.close());
    await events.waitUntilReady();
    for (const how of ['completed', 'failed'] as const)
      events.on(how, ({ jobId }: { jobId: string }) => {
        ends.set(jobId, how);
        for (const look of waiting) look();
      });
  }
  return {
    async add(contract: Contract, input: object, key: string) {
      const made = makeJob(contract, input, { tenant: 'main', asOf: 1, key });
      if (!made.fits) throw new Error('does not fit');
      const { name, data, opts } = made.job;
      await queues.get(contract.kind)?.add(name, data, opts);
      return { id: opts.jobId, runKey: data.runKey };
    },
    /** How these jobs ended, once all have. */
    ended: (ids: readonly string[]) =>
      new Promise<('completed' | 'failed')[]>((resolve) => {
        const look = (): void => {
          if (!ids.every((id) => ends.has(id))) return;
          waiting.delete(look);
          resolve(ids.map((id) => ends.get(id)!));
        };
        waiting.add(look);
        look();
      }),
  };
}

test('jobs whose process is killed are run again by another within ten seconds, whatever their effect class', async () => {
  await using services = await testServices();
  const queues = await queuesOf(services);
  const first = new Mortal(services, { holds: true });
  await first.hear('ready');
  const jobs = [];
  for (const effect of EFFECT_CLASSES)
    for (let n = 0; n < 2; n++) jobs.push(await queues.add(MORTALS[effect], { n }, `${effect}-${n}`));
  await first.hear('began', jobs.length);
  const second = new Mortal(services);
  await second.hear('ready');
  first.child.kill('SIGKILL');
  const killedAt = performance.now();
  const again = await second.hear('began', jobs.length);
  const recoveriesMs = again.map(({ atMs }) => Math.round(atMs - killedAt));
  expect(Math.max(...recoveriesMs), `recovered after ${recoveriesMs.join(', ')} ms`).toBeLessThanOrEqual(
    RECOVERY_MS_MAX,
  );
  expect(new Set(again.map(({ runKey }) => runKey))).toEqual(new Set(jobs.map(({ runKey }) => runKey)));
  expect(new Set(await queues.ended(jobs.map(({ id }) => id)))).toEqual(new Set(['completed']));
});

test('a process that wakes after its lock went is told that it lost the run, and stops: the effect is the other one', async () => {
  await using services = await testServices();
  const queues = await queuesOf(services);
  const frozen = new Mortal(services, { holds: true, lockMs: 1_500 });
  await frozen.hear('ready');
  const { id, runKey } = await queues.add(MORTALS.dataset, { n: 7 }, 'contested');
  await frozen.hear('began');
  frozen.child.kill('SIGSTOP');
  const other = new Mortal(services, { lockMs: 1_500 });
  expect(await queues.ended([id])).toEqual(['completed']);
  expect(await other.hear('began')).toHaveLength(1);
  const committed = await runOf(services, runKey);
  frozen.child.send('go on'); // its work is done as soon as it wakes
  frozen.child.kill('SIGCONT');
  expect(await frozen.hear('lost')).toMatchObject([{ runKey }]);
  expect(await runOf(services, runKey)).toEqual(committed);
  expect(committed).toMatchObject({ state: 'committed', fence: 2 });
});

test('a job that kills its process each time is parked after a few deaths, and none of the many beside it is', async () => {
  await using services = await testServices();
  const queues = await queuesOf(services);
  const options = { lockMs: 1_500, spacingMs: 0 };
  // Fewer than the turns alone that park a run: so a machine that dies parks nobody, wherever it strikes.
  let machines = ALONE_MAX - 1;
  let isOver = false;
  onTestFinished(() => {
    isOver = true;
  });
  /** Started again whenever it dies, as under any supervisor. Some deaths take the other process along, as that of a machine does. */
  const members: (Mortal | undefined)[] = [undefined, undefined];
  const keepAlive = (slot: number): void => {
    const member = new Mortal(services, options);
    members[slot] = member;
    member.child.on('exit', () => {
      if (isOver) return;
      if (machines-- > 0) members[1 - slot]?.child.kill('SIGKILL');
      keepAlive(slot);
    });
  };
  keepAlive(0);
  keepAlive(1);
  const guilty = [];
  for (const effect of ['dataset', 'none'] as const)
    guilty.push(await queues.add(MORTALS[effect], { n: 0, kills: true }, `guilty-${effect}`));
  const innocent = [];
  for (let n = 0; n < 30; n++) innocent.push(await queues.add(MORTALS[EFFECT_CLASSES[n % 3]!], { n }, `innocent-${n}`));
  const endsOf = async (jobs: readonly { id: string }[]) => queues.ended(jobs.map(({ id }) => id));
  expect(await endsOf(innocent)).toEqual(innocent.map(() => 'completed'));
  expect(await endsOf(guilty)).toEqual(guilty.map(() => 'failed'));
  isOver = true;
  const parked = await runOf(services, guilty[0]!.runKey);
  expect(parked).toMatchObject({ state: 'dead-lettered', error: { code: 'RUN_POISONOUS', details: { alone: 3 } } });
  const recorded = innocent.map(({ runKey }, n) => ({ runKey, n })).filter(({ n }) => EFFECT_CLASSES[n % 3] !== 'none');
  for (const { runKey, n } of recorded)
    expect(await runOf(services, runKey)).toMatchObject({ state: 'committed', output: { square: n * n } });
});
