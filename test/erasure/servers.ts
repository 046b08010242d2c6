/** Owns servers of one's own for a test that looks at the bytes they leave: where they lie is known, and once they are stopped everything is there. */
import { createReadStream } from 'node:fs';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../docker/local/ports.mjs';
import { openStep } from '../../docker/local/progress.mjs';
import { openStores } from '../../docker/local/stores.mjs';

export interface PrivateServers extends AsyncDisposable {
  readonly env: { readonly REDIS_URL: string; readonly MONGODB_URL: string };
  readonly folder: string;
  /** Stops them: what they held in memory is in their files. Idempotent. */
  stop(): Promise<void>;
}

export async function privateServers(): Promise<PrivateServers> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'millrace-proof-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const { REDIS_URL: _redis, MONGODB_URL: _mongodb, ...env } = process.env;
  const steps = { redis: openStep('Redis'), mongodb: openStep('MongoDB') };
  const stores = await openStores({ folder, durable: false, portOf: freePort, steps, env });
  stack.defer(stores.stop);
  const owned = stack.move();
  return {
    env: { REDIS_URL: stores.redis.url, MONGODB_URL: stores.mongodb.url },
    folder,
    stop: stores.stop,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

export interface Scan {
  readonly files: number;
  readonly bytes: number;
  /** By needle: the files that hold it. */
  readonly found: ReadonlyMap<string, readonly string[]>;
}

/** Reads every file under a folder byte by byte. */
export async function scan(folder: string, needles: readonly string[]): Promise<Scan> {
  const found = new Map<string, string[]>();
  let [files, bytes] = [0, 0];
  for (const name of await readdir(folder, { recursive: true })) {
    const path = join(folder, name);
    const facts = await stat(path).catch(() => undefined);
    if (facts?.isFile() !== true) continue;
    files += 1;
    bytes += facts.size;
    for (const needle of await needlesIn(path, needles)) found.set(needle, [...(found.get(needle) ?? []), name]);
  }
  return { files, bytes, found };
}

async function needlesIn(path: string, needles: readonly string[]): Promise<ReadonlySet<string>> {
  const longest = Math.max(...needles.map((needle) => needle.length));
  const there = new Set<string>();
  let before = Buffer.alloc(0);
  for await (const chunk of createReadStream(path, { highWaterMark: 4 * 2 ** 20 })) {
    const bytes = Buffer.concat([before, chunk as Buffer]);
    for (const needle of needles) if (bytes.includes(needle)) there.add(needle);
    before = bytes.subarray(Math.max(0, bytes.length - longest));
  }
  return there;
}
