/**
 * Owns what is measured of the queues when somebody asks: how many jobs wait, fail and run, how long the oldest has waited, how full this process is.
 * KEDA and alerts read these instead of the lists in Redis: a paused queue keeps its jobs there and must not be scaled up.
 */
import type { BatchObservableResult, Meter, ObservableGauge } from '@opentelemetry/api';
import type { Queue } from 'bullmq';
import { GAUGES, type GaugeName } from '../../shared/telemetry/metrics.ts';
import type { WorkerPool } from './pool.ts';

/** Redis may be away, and commands then wait for it: the figures of this moment are left out. */
const READ_MS_MAX = 2_000;

const STATES = ['waiting', 'prioritized', 'delayed', 'active', 'failed', 'completed'] as const;

interface QueueFigures {
  readonly kind: string;
  readonly counts: Readonly<Record<string, number>>;
  /** Seconds since the job that is next in line could have begun; 0: none waits, or the queue is paused. */
  readonly oldestSeconds: number;
}

async function read(queue: Queue): Promise<QueueFigures> {
  const [counts, heads, isPaused] = await Promise.all([
    queue.getJobCounts(...STATES),
    queue.getJobs(['wait', 'prioritized'], 0, 0, true),
    queue.isPaused(),
  ]);
  const dueAt = heads.map(({ timestamp, delay }) => timestamp + (delay ?? 0));
  const oldestSeconds = isPaused || dueAt.length === 0 ? 0 : Math.max(0, Date.now() - Math.min(...dueAt)) / 1000;
  return { kind: queue.name, counts, oldestSeconds };
}

export function measureQueues(meter: Meter, queues: readonly Queue[], pools: readonly WorkerPool[]): () => void {
  const gauges = Object.fromEntries(
    Object.entries(GAUGES).map(([name, { unit, what: description }]) => [
      name,
      meter.createObservableGauge(name, { unit, description }),
    ]),
  ) as Record<GaugeName, ObservableGauge>;
  const observe = async (result: BatchObservableResult): Promise<void> => {
    for (const { kind, worker } of pools)
      result.observe(gauges['millrace.pool.saturation'], worker.active / worker.concurrency, { kind });
    for (const { kind, counts, oldestSeconds } of await inTime(Promise.all(queues.map(read)))) {
      result.observe(gauges['millrace.queue.oldest.age'], oldestSeconds, { kind });
      for (const [state, count] of Object.entries(counts))
        result.observe(gauges['bullmq.queue.jobs'], count, {
          'bullmq.queue.name': kind,
          'bullmq.queue.jobs.state': state,
        });
    }
  };
  const all = Object.values(gauges);
  meter.addBatchObservableCallback(observe, all);
  return () => meter.removeBatchObservableCallback(observe, all);
}

async function inTime(work: Promise<QueueFigures[]>): Promise<readonly QueueFigures[]> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<QueueFigures[]>((resolve) => {
    timer = setTimeout(() => resolve([]), READ_MS_MAX);
  });
  try {
    return await Promise.race([work, late]);
  } catch {
    return [];
  } finally {
    clearTimeout(timer);
  }
}
