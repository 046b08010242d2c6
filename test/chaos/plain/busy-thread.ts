/** Owns a worker of plain BullMQ in a thread of its own, whose processor computes on the event loop until it is told that the job runs elsewhere too. */
import { workerData } from 'node:worker_threads';
import { Worker } from 'bullmq';
import { Redis } from 'ioredis';

export interface BusyThreadData {
  readonly url: string;
  readonly prefix: string;
  readonly queue: string;
  readonly options: { readonly lockDuration: number; readonly stalledInterval: number };
  /** [0]: how often the processor has begun, here and elsewhere. */
  readonly starts: SharedArrayBuffer;
}

const { url, prefix, queue, options, starts } = workerData as BusyThreadData;
const begun = new Int32Array(starts);
const connection = new Redis(url, { maxRetriesPerRequest: null });
const worker = new Worker(
  queue,
  async () => {
    Atomics.add(begun, 0, 1);
    Atomics.notify(begun, 0);
    while (Atomics.load(begun, 0) < 2) Math.sqrt(2);
  },
  { connection, prefix, ...options },
);
worker.on('error', () => {});
