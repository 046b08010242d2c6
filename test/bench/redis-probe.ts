/** Owns the thread that asks Redis for something small again and again, and says how long the answers took. */
import { setTimeout as delay } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { Redis } from 'ioredis';

export interface Probed {
  readonly asked: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** `over[0]` becomes 1 when it is to end. */
export interface ProbeData {
  readonly url: string;
  readonly over: Int32Array;
}

const PAUSE_MS = 2;
const port = parentPort;
if (port !== null) {
  const { url, over } = workerData as ProbeData;
  const redis = new Redis(url);
  await redis.ping();
  port.postMessage('ready');
  const took: number[] = [];
  while (Atomics.load(over, 0) === 0) {
    const started = performance.now();
    await (took.length % 2 === 0 ? redis.ping() : redis.get('bench:probe'));
    took.push(performance.now() - started);
    await delay(PAUSE_MS);
  }
  took.sort((a, b) => a - b);
  const at = (share: number): number => took[Math.min(took.length - 1, Math.floor(took.length * share))] ?? 0;
  port.postMessage({ asked: took.length, p50: at(0.5), p99: at(0.99), max: at(1) } satisfies Probed);
  redis.disconnect();
}
