/** Owns the servers of a chaos run: a private pair of Redis servers, a MongoDB that can be restarted if it is ours, and a proxy before each. */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { mongoStarter } from '../../docker/local/mongodb.mjs';
import { freePort } from '../../docker/local/ports.mjs';
import { send } from '../../docker/local/processes.mjs';
import { openStep } from '../../docker/local/progress.mjs';
import { redisProgram, type RunningStore } from '../../docker/local/redis.mjs';
import { ChaosProxy } from './proxy.ts';
import { RedisPair } from './redis-pair.ts';

/** A server as the harness sees it. */
export interface ChaosServer {
  /** Straight to it, for producer and checker. */
  readonly url: string;
  /** Through the proxy, for the workers. */
  readonly proxiedUrl: string;
  readonly proxy: ChaosProxy;
  /** Stops it (or kills it) and starts it again on the same port and data; absent: it is not ours to restart. */
  readonly restart?: (downMs: number, isKilled: boolean) => Promise<void>;
}

export interface ChaosServers extends AsyncDisposable {
  readonly redis: RedisPair;
  readonly mongodb: ChaosServer;
}

type Start = () => Promise<RunningStore>;

async function restartable(stack: AsyncDisposableStack, start: Start): Promise<ChaosServer> {
  let running = await start();
  const stop = async () => {
    for (const service of running.services) await service.stop();
  };
  stack.defer(stop);
  const restart = async (downMs: number, isKilled: boolean) => {
    // FerretDB keeps nothing; a mongod or PostgreSQL that was told not to sync may lose what it has acknowledged.
    const [first] = running.services;
    if (isKilled && first !== undefined && running.services.length > 1) send(first.pid, 'SIGKILL');
    await stop();
    await pause(downMs);
    running = await start();
  };
  return { ...(await proxied(stack, running.url)), restart };
}

async function proxied(stack: AsyncDisposableStack, url: string) {
  const target = new URL(url);
  const proxy = stack.use(await ChaosProxy.open({ host: target.hostname, port: Number(target.port) }));
  target.port = String(proxy.port);
  return { url, proxiedUrl: target.href, proxy };
}

/**
 * Opens both in `folder`. `mongodbUrl`: a server that others use too; without it one is started.
 * The append-only file is written with every command, so that not even a killed Redis forgets what it has acknowledged.
 */
export async function openServers(folder: string, mongodbUrl: string | undefined): Promise<ChaosServers> {
  await using stack = new AsyncDisposableStack();
  const program = await redisProgram(openStep('Redis'));
  const redis = stack.use(await RedisPair.open(program, join(folder, 'redis')));
  const mongodb =
    mongodbUrl === undefined ? await ownMongo(stack, join(folder, 'mongodb')) : await proxied(stack, mongodbUrl);
  const owned = stack.move();
  return { redis, mongodb, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function ownMongo(stack: AsyncDisposableStack, folder: string): Promise<ChaosServer> {
  const start = await mongoStarter(openStep('MongoDB'));
  const port = await freePort();
  return restartable(stack, () => start({ port, folder, durable: false }));
}
