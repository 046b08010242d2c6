/** Enqueueing, waiting, following and cancelling over a real Redis, with a raw BullMQ worker on the other side. */
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net';
import { Queue, UnrecoverableError } from 'bullmq';
import { describe, expect, it, vi } from 'vitest';
import { cancelChannel, cancelKey, jobIdOf, runKeyOf } from '../../shared/contract-kit/names.ts';
import { AppError } from '../../shared/errors.ts';
import { connect } from './connect.ts';
import { ENQUEUE_MANY_MAX } from './job-client.ts';
import type { JobProgress } from './job-handle.ts';
import { REDIS_URL, RedisFixture } from './redis-fixture.ts';

const SEGMENTS = { version: 'v1', k: 2, people: 3, inertia: 1, silhouette: null, segments: [], consentEpoch: 7 };
const failWith = (error: AppError) => new UnrecoverableError(JSON.stringify(error.toJSON()));

/** A way to Redis that can be cut: open connections end, new ones are refused until it is mended. */
async function cuttableProxy(target: string) {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let open = true;
  const server = createServer((near) => {
    if (!open) {
      near.destroy();
      return;
    }
    const far = createConnection(Number(port || 6379), hostname);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        near.destroy();
        far.destroy();
      });
    }
    near.pipe(far).pipe(near);
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const cut = () => {
    open = false;
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    mend: () => {
      open = true;
    },
    async [Symbol.asyncDispose]() {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

describe.skipIf(REDIS_URL === undefined)('the client over Redis', () => {
  it('gives the output of a job that ended before anybody waited', async () => {
    await using fixture = new RedisFixture();
    const millrace = fixture.connect();
    const worker = fixture.worker('segmentation', () => SEGMENTS);
    const completed = new Promise((resolve) => worker.once('completed', resolve));
    const job = await millrace.segmentation.enqueue({ features: 'f1' });
    await completed;
    expect(await job.done()).toEqual(SEGMENTS);
    expect(await job.state()).toBe('completed');
    expect(await job.result()).toEqual(SEGMENTS);
  });

  it('gives the output of a job that ends while somebody waits, with the input as the contract completes it', async () => {
    await using fixture = new RedisFixture();
    const millrace = fixture.connect();
    const job = await millrace.segmentation.enqueue({ features: 'f1' });
    const done = job.done({ timeoutMs: 60_000 });
    expect(await job.state()).toBe('waiting');
    expect(await job.result()).toBeUndefined();
    const seen = Promise.withResolvers<unknown>();
    fixture.worker('segmentation', (input) => {
      seen.resolve(input);
      return SEGMENTS;
    });
    expect(await seen.promise).toEqual({ features: 'f1', restarts: 8, seed: 1 });
    expect(await done).toEqual(SEGMENTS);
  });

  it('rebuilds the AppError of a failed job with its code and details', async () => {
    await using fixture = new RedisFixture();
    const millrace = fixture.connect();
    fixture.worker('segmentation', () => {
      throw failWith(new AppError('DATASET_ERASED', { message: 'Version f1 was erased.', details: { version: 'f1' } }));
    });
    const job = await millrace.segmentation.enqueue({ features: 'f1' });
    const error = await job.done().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(AppError);
    expect(error).toMatchObject({ code: 'DATASET_ERASED', details: { version: 'f1' }, retry: 'never' });
    expect((error as AppError).message).toBe('DATASET_ERASED: Version f1 was erased. Use the successor version.');
    expect(await job.state()).toBe('failed');
    expect(await job.result()).toBeUndefined();
  });

  it('streams progress and ends it with the job', async () => {
    await using fixture = new RedisFixture();
    const millrace = fixture.connect();
    const watched = Promise.withResolvers<void>();
    fixture.worker('segmentation', async (_, job) => {
      await job.updateProgress({ done: 1, total: 2, label: 'restarts', metrics: { inertia: 4 } });
      await watched.promise;
      await job.updateProgress({ done: 2, total: 2, label: 'restarts' });
      return SEGMENTS;
    });
    const job = await millrace.segmentation.enqueue({ features: 'f1' });
    const seen: JobProgress[] = [];
    for await (const progress of job.progress()) {
      seen.push(progress);
      watched.resolve();
    }
    expect(seen[0]).toEqual({ done: 1, total: 2, label: 'restarts', metrics: { inertia: 4 } });
    // Newest only: the last report may have been overtaken by the end.
    expect(seen.length).toBeLessThanOrEqual(2);
    expect(await job.state()).toBe('completed');
  });

  it('marks a cancelled run durably and announces it', async () => {
    await using fixture = new RedisFixture();
    const millrace = fixture.connect();
    const subscriber = fixture.redis.duplicate();
    const heard = new Promise((resolve) => subscriber.once('message', (_, runKey: string) => resolve(runKey)));
    await subscriber.subscribe(cancelChannel(fixture.prefix));
    const job = await millrace.segmentation.enqueue({ features: 'f1' });
    await job.cancel();
    expect(await heard).toBe(job.runKey);
    expect(await fixture.redis.get(cancelKey(fixture.prefix, job.runKey))).toBe('1');
    expect(await fixture.redis.ttl(cancelKey(fixture.prefix, job.runKey))).toBeGreaterThan(13 * 24 * 3600);
    fixture.worker('segmentation', () => {
      throw failWith(new AppError('CANCELLED'));
    });
    await expect(job.done()).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(await job.state()).toBe('cancelled');
    subscriber.disconnect();
  });

  it('runs the same key once and refuses it for another input', async () => {
    await using fixture = new RedisFixture();
    const millrace = fixture.connect();
    const first = await millrace.segmentation.enqueue({ features: 'f1', seed: 1 }, { key: 'nightly' });
    const again = await millrace.segmentation.enqueue({ seed: 1, features: 'f1' }, { key: 'nightly' });
    expect(again.id).toBe(first.id);
    expect(first.id).toBe(jobIdOf(runKeyOf('main', 'segmentation', 'nightly')));
    await expect(millrace.segmentation.enqueue({ features: 'f2' }, { key: 'nightly' })).rejects.toMatchObject({
      code: 'KEY_REUSED',
    });
    const queue = new Queue('segmentation', { connection: fixture.redis, prefix: fixture.prefix });
    expect(await queue.getPrioritizedCount()).toBe(1);
    await queue.close();
  });

  it('keeps tenants apart, under the same key and by id', async () => {
    await using fixture = new RedisFixture();
    const [acme, other] = [fixture.connect('acme'), fixture.connect('other')];
    const mine = await acme.segmentation.enqueue({ features: 'f1' }, { key: 'k' });
    const theirs = await other.segmentation.enqueue({ features: 'f2' }, { key: 'k' });
    expect(theirs.id).not.toBe(mine.id);
    expect(await other.segmentation.get(mine.id)).toBeUndefined();
    expect((await acme.segmentation.get(mine.id))?.runKey).toBe(mine.runKey);
    expect(await acme.segmentation.get('r0')).toBeUndefined();
  });

  it('enqueues many in order, and nothing at all when one input is wrong', async () => {
    await using fixture = new RedisFixture();
    const millrace = fixture.connect();
    const wrong = [{ features: 'a' }, { features: 'b', restarts: 0 }];
    await expect(millrace.segmentation.enqueueMany(wrong)).rejects.toMatchObject({ code: 'INPUT_INVALID' });
    const queue = new Queue('segmentation', { connection: fixture.redis, prefix: fixture.prefix });
    expect(await queue.getPrioritizedCount()).toBe(0);
    const inputs = Array.from({ length: 1_200 }, (_, seed) => ({ features: 'f', seed }));
    const jobs = await millrace.segmentation.enqueueMany(inputs, { key: 'sweep' });
    expect(jobs[1_199]?.id).toBe(jobIdOf(runKeyOf('main', 'segmentation', 'sweep.1199')));
    expect(new Set(jobs.map((job) => job.id)).size).toBe(1_200);
    await millrace.segmentation.enqueueMany(inputs, { key: (input) => `sweep.${input.seed}` });
    expect(await queue.getPrioritizedCount()).toBe(1_200);
    await expect(
      millrace.segmentation.enqueueMany(Array.from({ length: ENQUEUE_MANY_MAX + 1 }, () => ({ features: 'f' }))),
    ).rejects.toMatchObject({ code: 'INPUT_INVALID' });
    await queue.close();
  });

  it('passes priority classes, delays, retries and retention on to BullMQ', async () => {
    await using fixture = new RedisFixture();
    const millrace = fixture.connect();
    const job = await millrace.segmentation.enqueue({ features: 'f' }, { priority: 2, delayMs: 60_000, asOf: 5 });
    const queue = new Queue('segmentation', { connection: fixture.redis, prefix: fixture.prefix });
    const stored = await queue.getJob(job.id);
    expect(stored?.opts).toMatchObject({
      priority: 2 * 2 ** 18 + 1,
      delay: 60_000,
      attempts: 5,
      backoff: { type: 'exponential', delay: 1_000 },
      removeOnComplete: false,
      removeOnFail: false,
    });
    expect(stored?.data).toMatchObject({ kind: 'segmentation', tenant: 'main', asOf: 5, runKey: job.runKey });
    expect(await job.state()).toBe('delayed');
    await expect(millrace.segmentation.enqueue({ features: 'f' }, { priority: 7 })).rejects.toMatchObject({
      code: 'INPUT_INVALID',
    });
    await queue.close();
  });

  it('ends a wait at its time limit or signal, and says that a removed job is gone', async () => {
    await using fixture = new RedisFixture();
    const millrace = fixture.connect();
    const job = await millrace.segmentation.enqueue({ features: 'f' });
    await expect(job.done({ timeoutMs: 1 })).rejects.toMatchObject({ code: 'WAIT_TIMEOUT' });
    const abort = new AbortController();
    const waiting = job.done({ signal: abort.signal });
    abort.abort(new Error('shutting down'));
    await expect(waiting).rejects.toThrow('shutting down');
    const queue = new Queue('segmentation', { connection: fixture.redis, prefix: fixture.prefix });
    await queue.remove(job.id);
    await expect(job.done()).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await job.state()).toBe('gone');
    await queue.close();
  });

  it('rejects waits that are under way when the client is closed', async () => {
    await using fixture = new RedisFixture();
    const millrace = fixture.connect();
    const job = await millrace.segmentation.enqueue({ features: 'f' });
    const waiting = job.done();
    waiting.catch(() => {});
    await millrace.close();
    await expect(waiting).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
    await expect(millrace.segmentation.enqueue({ features: 'f' })).rejects.toMatchObject({
      code: 'SERVICE_UNAVAILABLE',
    });
  });

  it('goes on waiting through a cut connection, fails fast meanwhile, and works again after it', async () => {
    await using fixture = new RedisFixture();
    await using proxy = await cuttableProxy(fixture.url);
    await using millrace = connect({ redis: proxy.url, prefix: fixture.prefix });
    const job = await millrace.segmentation.enqueue({ features: 'f' });
    const done = job.done();
    const following = job.progress();
    const queue = new Queue('segmentation', { connection: fixture.redis, prefix: fixture.prefix });
    await (await queue.getJob(job.id))?.updateProgress({ done: 0, total: 1, label: 'restarts' });
    await following.next(); // the watch is up
    await queue.close();
    proxy.cut();
    await expect(millrace.segmentation.enqueue({ features: 'g' })).rejects.toMatchObject({
      code: 'SERVICE_UNAVAILABLE',
    });
    proxy.mend();
    fixture.worker('segmentation', () => SEGMENTS);
    expect(await done).toEqual(SEGMENTS);
    await following.return();
    // The producer's connection comes back by itself; until then every call is refused at once.
    await vi.waitUntil(async () => millrace.segmentation.enqueue({ features: 'g' }).catch(() => undefined), {
      timeout: 30_000,
    });
  });

  it('refuses a finished output that does not fit the contract', async () => {
    await using fixture = new RedisFixture();
    const millrace = fixture.connect();
    fixture.worker('segmentation', () => ({ version: 3 }));
    const job = await millrace.segmentation.enqueue({ features: 'f' });
    await expect(job.done()).rejects.toMatchObject({ code: 'OUTPUT_INVALID' });
  });
});

describe('a client without Redis', () => {
  it('says at once which Redis does not answer, without its password', async () => {
    const listener = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => listener.once('listening', resolve));
    const { port } = listener.address() as AddressInfo;
    await new Promise((resolve) => listener.close(resolve));
    await using millrace = connect({ redis: `redis://user:hunter2@127.0.0.1:${port}` });
    for (let attempt = 0; attempt < 2; attempt++) {
      const error = await millrace.segmentation.enqueue({ features: 'f' }).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'SERVICE_UNAVAILABLE', details: { address: `127.0.0.1:${port}` } });
      expect(String(error)).toContain('ECONNREFUSED');
      expect(JSON.stringify(error) + String(error)).not.toContain('hunter2');
    }
  });

  it('names the option that is wrong', () => {
    expect(() => connect({ redis: undefined })).toThrow('CONFIG_INVALID');
    expect(() => connect({ redis: 'http://localhost' })).toThrow('redis://');
    expect(() => connect({ redis: 'redis://localhost', tenant: 'A b' })).toThrow('tenant');
    expect(() => connect({ redis: 'redis://localhost', seal: 'abc' })).toThrow('Seal key 1');
  });
});
