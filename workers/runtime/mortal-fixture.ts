/** Owns a worker process of the tests that kill: one kind of each effect class, whose jobs say over IPC that they have begun. */
import { z } from 'zod';
import { computePool } from '../../shared/compute/pool.ts';
import { systemClock } from '../../shared/clock.ts';
import { type Contract, defineJob, EFFECT_CLASSES, type EffectClass } from '../../shared/contract-kit/define-job.ts';
import { openStore } from '../../shared/store/mongo/open.ts';
import { openLog } from '../../shared/telemetry/log.ts';
import { Telemetry } from '../../shared/telemetry/stream.ts';
import { TEST_KEYS } from '../../test/services.ts';
import { CancelWatch } from './cancellation.ts';
import { openRedis } from './host.ts';
import { AloneCounts, Isolation } from './isolation.ts';
import { WorkerPool } from './pool.ts';
import { defineProcessor } from './processor.ts';

export interface MortalOptions {
  readonly redisUrl: string;
  readonly mongodbUrl: string;
  readonly database: string;
  readonly prefix: string;
  /** Jobs do not end in this process until it is told to go on. */
  readonly holds?: boolean;
  /** Absent: the defaults of every worker. */
  readonly lockMs?: number;
  readonly spacingMs?: number;
}

export type MortalMessage =
  | { readonly type: 'ready' }
  | { readonly type: 'began'; readonly runKey: string; readonly n: number }
  /** An attempt was told that another one has its run. */
  | { readonly type: 'lost'; readonly runKey: string };

const mortalOf = <E extends EffectClass>(effect: E) =>
  defineJob({
    kind: `mortal-${effect}`,
    version: 1,
    title: 'A job of the tests that kill.',
    input: z.strictObject({
      n: z.int(),
      /** Takes its process down, each time. */
      kills: z.boolean().default(false),
    }),
    output: z.object({ square: z.int() }),
    personal: false,
    effect,
    purposes: [],
    limits: { concurrency: 4, durationMsMax: 120_000, memoryMbMax: 256 },
  });

export const MORTALS = { none: mortalOf('none'), record: mortalOf('record'), dataset: mortalOf('dataset') } as const;

const tell = (message: MortalMessage): void => void process.send?.(message);

async function main({ redisUrl, mongodbUrl, database, prefix, ...options }: MortalOptions): Promise<void> {
  const { masterKey, tenantKey } = TEST_KEYS;
  const redis = await openRedis(redisUrl);
  const store = await openStore({ url: mongodbUrl, database, masterKey, tenantKey });
  const pool = computePool({ threads: 1 });
  const cancels = await CancelWatch.open(redis, prefix);
  const telemetry = new Telemetry();
  telemetry.subscribe((name, fields) => {
    if (name === 'job.lost' && 'runKey' in fields) tell({ type: 'lost', runKey: String(fields.runKey) });
  });
  const { holds = false, lockMs, spacingMs } = options;
  const released = Promise.withResolvers<void>();
  process.on('message', () => released.resolve());
  const counts = new AloneCounts(redis, prefix, spacingMs === undefined ? {} : { spacingMs });
  const isolation = new Isolation(counts);
  const ports = { store, pool, clock: systemClock, log: openLog('silent'), telemetry, codeVersion: 'mortal' };
  for (const effect of EFFECT_CLASSES) {
    const contract: Contract = MORTALS[effect];
    const processor = defineProcessor<(typeof MORTALS)['dataset'], { n: number; kills: boolean }, number>({
      contract: contract as (typeof MORTALS)['dataset'],
      load: async (input, { runKey }) => {
        tell({ type: 'began', runKey, n: input.n });
        return input;
      },
      compute: async ({ n, kills }) => {
        if (kills) process.kill(process.pid, 'SIGKILL');
        if (holds) await released.promise;
        return n * n;
      },
      write: async (square) => ({ output: { square } }),
    });
    const { worker } = new WorkerPool({
      contract,
      processor,
      ports,
      ring: undefined,
      cancels,
      isolation,
      relay: async () => {},
      redis,
      prefix,
      ...(lockMs === undefined ? {} : { lockMs }),
    });
    await worker.waitUntilReady();
  }
  tell({ type: 'ready' });
}

if (process.send !== undefined && process.argv[2]?.startsWith('{') === true) {
  process.once('disconnect', () => process.exit(0)); // the test is gone
  await main(JSON.parse(process.argv[2]) as MortalOptions);
}
