/** Owns a worker process whose jobs compute for ever, each in a thread of its own, until they are cancelled. */
import { openRedis } from '../../../workers/runtime/host.ts';
import { computePool } from '../../../shared/compute/pool.ts';
import { systemClock } from '../../../shared/clock.ts';
import { openStore } from '../../../shared/store/mongo/open.ts';
import { Telemetry } from '../../../shared/telemetry/stream.ts';
import { CancelWatch } from '../../../workers/runtime/cancellation.ts';
import { WorkerPool } from '../../../workers/runtime/pool.ts';
import { defineProcessor } from '../../../workers/runtime/processor.ts';
import { silentLog, TEST_KEYS } from '../../services.ts';
import { BUSY, type BusyMessage, type BusyOptions } from './busy-kind.ts';

const module = new URL('../../../shared/compute/pool.fixture.ts', import.meta.url).href;
const tell = (message: BusyMessage): void => void process.send?.(message);

const { redis: redisUrl, prefix, mongodb, database, atOnce } = JSON.parse(process.argv[2] as string) as BusyOptions;
const { masterKey, tenantKey } = TEST_KEYS;
const redis = await openRedis(redisUrl);
const store = await openStore({ url: mongodb, database, masterKey, tenantKey });
const pool = computePool({ threads: atOnce });
const cancels = await CancelWatch.open(redis, prefix);

const processor = defineProcessor<typeof BUSY, number, number>({
  contract: BUSY,
  load: async ({ n }) => n,
  compute: async (n, { pool: threads, runKey, signal }) => {
    const started = new Int32Array(new SharedArrayBuffer(8));
    const { value } = Atomics.waitAsync(started, 0, 0);
    void Promise.resolve(value).then(() => tell({ type: 'busy', runKey }));
    await threads.runPhase([{ module, name: 'spin', payload: { started: started.buffer } }], signal);
    return n;
  },
  write: async (n) => ({ output: { n } }),
});

const workers = new WorkerPool({
  contract: BUSY,
  processor,
  ports: { store, pool, clock: systemClock, log: silentLog, telemetry: new Telemetry(), codeVersion: 'bench' },
  ring: undefined,
  cancels,
  relay: async () => {},
  redis,
  prefix,
  concurrency: atOnce,
});
await workers.worker.waitUntilReady();
tell({ type: 'ready' });
// The benchmark ends this process.
