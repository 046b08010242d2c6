/**
 * Owns the Redis of a chaos run: a primary, its replica and a Sentinel over both, all of them private to the run. The
 * proxies always lead to whichever Sentinel says is the primary, as a service address in front of a pair does.
 */
import { createWriteStream, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { freePort, LOOPBACK } from '../../docker/local/ports.mjs';
import { send, type Service, startService } from '../../docker/local/processes.mjs';
import { startRedis } from '../../docker/local/redis.mjs';
import { ChaosProxy } from './proxy.ts';

const NAME = 'chaos';
/** Longer than a restart takes, so that a restart is none of Sentinel's business. */
const DOWN_AFTER_MS = 6_000;
/** Sentinel leaves twice this between two failovers. */
const FAILOVER_TIMEOUT_MS = 3_000;
/** Most that is acknowledged by a primary and not yet known to its replica. */
const REPLICATION_LAG_MS = 5_000;
/** What is acknowledged at the very moment may be noted a little later. */
const NOTED_LATE_MS = 2_000;
const DISK = '256m';
const POLL_MS = 100;
const WAIT_MS_MAX = 120_000;

interface Node {
  readonly port: number;
  readonly folder: string;
  service: Service;
}

/** A time in which Redis may have forgotten what it had acknowledged. */
export interface Forgetting {
  readonly from: number;
  until: number;
}

interface PairParts {
  readonly program: string;
  readonly folder: string;
  readonly nodes: readonly Node[];
  readonly proxies: readonly ChaosProxy[];
  /** A connection to Sentinel. */
  readonly sentinel: Redis;
  readonly noDisk: string | undefined;
  readonly stack: AsyncDisposableStack;
}

export class RedisPair implements AsyncDisposable {
  readonly forgettings: Forgetting[] = [];
  /** As Sentinel announced them. */
  failovers = 0;
  /** Why its disk cannot be filled; undefined: it can. */
  readonly noDisk: string | undefined;
  readonly #program: string;
  readonly #folder: string;
  readonly #nodes: readonly Node[];
  readonly #proxies: readonly ChaosProxy[];
  readonly #sentinel: Redis;
  readonly #stack: AsyncDisposableStack;
  #primary = 0;

  private constructor(parts: PairParts) {
    this.#program = parts.program;
    this.#folder = parts.folder;
    this.#nodes = parts.nodes;
    this.#proxies = parts.proxies;
    this.#sentinel = parts.sentinel;
    this.noDisk = parts.noDisk;
    this.#stack = parts.stack;
  }

  static async open(program: string, folder: string): Promise<RedisPair> {
    await using stack = new AsyncDisposableStack();
    const noDisk = mountDisk(folder, stack);
    const nodes: Node[] = [];
    const nodeStack = stack.use(new AsyncDisposableStack());
    nodeStack.defer(async () => void (await Promise.all(nodes.map(({ service }) => service.stop()))));
    for (const name of ['a', 'b']) {
      const node = { port: await freePort(), folder: join(folder, name) };
      nodes.push({ ...node, service: await started(program, node) });
    }
    await tellNode(nodes[1]!, ['replicaof', LOOPBACK, String(nodes[0]!.port)]);
    const target = { host: LOOPBACK, port: nodes[0]!.port };
    const proxies = [stack.use(await ChaosProxy.open(target)), stack.use(await ChaosProxy.open(target))];
    const sentinelPort = await startSentinel(program, folder, nodes[0]!.port, stack);
    const sentinel = stack.adopt(new Redis(sentinelPort, LOOPBACK), (redis) => redis.disconnect());
    sentinel.on('error', () => {}); // it may only be starting
    const announcements = stack.adopt(sentinel.duplicate(), (redis) => redis.disconnect());
    announcements.on('error', () => {});
    const pair = new RedisPair({ program, folder, nodes, proxies, sentinel, noDisk, stack: stack.move() });
    announcements.on('message', (_channel, text: string) => pair.#onSwitch(Number(text.split(' ')[4])));
    await announcements.subscribe('+switch-master');
    await pair.#untilReplicated();
    return pair;
  }

  /** Straight to the primary, for producer and checker; it is never half-open. */
  get url(): string {
    return `redis://${LOOPBACK}:${this.#proxies[1]!.port}`;
  }
  /** For the workers. */
  get proxiedUrl(): string {
    return `redis://${LOOPBACK}:${this.proxy.port}`;
  }
  get proxy(): ChaosProxy {
    return this.#proxies[0]!;
  }

  /** Stops or kills the primary and starts it again on its append-only file. */
  async restart(downMs: number, isKilled: boolean): Promise<void> {
    const node = this.#nodes[this.#primary]!;
    if (isKilled) send(node.service.pid, 'SIGKILL');
    await node.service.stop();
    await pause(downMs);
    node.service = await started(this.#program, node);
    await this.#untilReplicated();
  }

  /** Kills the primary for good; Sentinel makes the replica the primary, and an empty one comes in its place. */
  async failOver(): Promise<void> {
    const node = this.#nodes[this.#primary]!;
    const before = this.#primary;
    send(node.service.pid, 'SIGKILL');
    await node.service.ended;
    for (const deadline = Date.now() + WAIT_MS_MAX; this.#primary === before; await pause(POLL_MS)) {
      await this.#askSentinel();
      if (Date.now() > deadline) throw new Error('Sentinel has not made the replica the primary');
    }
    await this.#untilReplicated();
  }

  /** Fills the disk of both for a while. */
  async fillDisk(ms: number): Promise<void> {
    const ballast = join(this.#folder, 'ballast');
    try {
      const file = createWriteStream(ballast);
      await new Promise<void>((resolve) => {
        const chunk = Buffer.alloc(1024 * 1024);
        const more = () => file.write(chunk, (error) => (error === undefined || error === null ? more() : resolve()));
        file.on('error', () => resolve());
        more();
      });
      await pause(ms);
    } finally {
      rmSync(ballast, { force: true });
    }
    await this.#rewritten();
    await this.#untilReplicated();
  }

  /** Forgets everything, as a Redis does whose disk was lost. */
  async empty(): Promise<void> {
    const forgetting = { from: 0, until: Number.POSITIVE_INFINITY };
    this.forgettings.push(forgetting);
    await tellNode(this.#nodes[this.#primary]!, ['flushall']);
    forgetting.until = Date.now() + NOTED_LATE_MS;
  }

  /** Redis 7.0 may leave an append-only file that it cannot read itself where its disk was full: it is written anew. */
  async #rewritten(): Promise<void> {
    const asked = () => tellNode(this.#nodes[this.#primary]!, ['bgrewriteaof']).catch(() => undefined);
    await asked();
    for (const deadline = Date.now() + WAIT_MS_MAX; ; await pause(POLL_MS)) {
      const told = String(await tellNode(this.#nodes[this.#primary]!, ['info', 'persistence']).catch(() => ''));
      const isIdle = /aof_rewrite_in_progress:0\b/.test(told) && /aof_rewrite_scheduled:0\b/.test(told);
      if (isIdle && /aof_last_bgrewrite_status:ok\b/.test(told) && /aof_last_write_status:ok\b/.test(told)) return;
      if (isIdle) await asked();
      if (Date.now() > deadline) throw new Error('Redis does not write its append-only file any more');
    }
  }

  #onSwitch(port: number): void {
    const index = this.#nodes.findIndex((node) => node.port === port);
    if (index < 0 || index === this.#primary) return;
    this.#primary = index;
    this.failovers++;
    this.forgettings.push({ from: Date.now() - DOWN_AFTER_MS - REPLICATION_LAG_MS, until: Date.now() + NOTED_LATE_MS });
    for (const proxy of this.#proxies) proxy.target = { host: LOOPBACK, port };
  }

  /** A replica that cannot write to its disk gives up: as a supervisor does, it is started again, and copies everything anew. */
  async #revive(): Promise<void> {
    const replica = this.#nodes[1 - this.#primary]!;
    if (!replica.service.hasEnded()) return;
    rmSync(replica.folder, { recursive: true, force: true });
    replica.service = await started(this.#program, replica);
  }

  /** An announcement is missed while the connection is away. */
  async #askSentinel(): Promise<void> {
    const address = await this.#sentinel.call('sentinel', 'get-master-addr-by-name', NAME);
    this.#onSwitch(Number((address as readonly string[] | null)?.[1]));
  }

  async #followPrimary(node: Node): Promise<void> {
    await tellNode(node, ['replicaof', LOOPBACK, String(this.#nodes[this.#primary]!.port)]);
  }

  /** Until the replica has what the primary has, and Sentinel may count on it. */
  async #untilReplicated(): Promise<void> {
    for (const deadline = Date.now() + WAIT_MS_MAX; ; await pause(POLL_MS)) {
      await this.#askSentinel(); // it may change its mind while we wait
      const replica = this.#nodes[1 - this.#primary]!;
      await this.#revive();
      const told = String(await tellNode(replica, ['info', 'replication']).catch(() => ''));
      if (told.includes('master_link_status:up')) return;
      if (told.includes('role:master')) await this.#followPrimary(replica);
      if (Date.now() > deadline) throw new Error('the replica of the chaos run does not follow its primary');
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

async function started(program: string, { port, folder }: Omit<Node, 'service'>): Promise<Service> {
  const { services } = await startRedis({ program, port, folder, durable: false });
  // What the machine's disk is too small for otherwise in a long run.
  await tellNode({ port }, ['config', 'set', 'auto-aof-rewrite-min-size', '16mb']);
  return services[0]!;
}

async function tellNode({ port }: Pick<Node, 'port'>, [command, ...args]: readonly [string, ...string[]]) {
  const redis = new Redis(port, LOOPBACK, { maxRetriesPerRequest: 20 });
  redis.on('error', () => {});
  try {
    return await redis.call(command, ...args);
  } finally {
    redis.disconnect();
  }
}

/** Redis-server is Sentinel too. */
async function startSentinel(
  program: string,
  folder: string,
  primaryPort: number,
  stack: AsyncDisposableStack,
): Promise<number> {
  const port = await freePort();
  const own = join(folder, 'sentinel');
  mkdirSync(own, { recursive: true });
  const config = join(own, 'sentinel.conf');
  const lines = [
    `port ${port}`,
    `bind ${LOOPBACK}`,
    `dir ${own}`,
    `sentinel monitor ${NAME} ${LOOPBACK} ${primaryPort} 1`,
    `sentinel down-after-milliseconds ${NAME} ${DOWN_AFTER_MS}`,
    `sentinel failover-timeout ${NAME} ${FAILOVER_TIMEOUT_MS}`,
  ];
  writeFileSync(config, `${lines.join('\n')}\n`);
  const log = join(own, 'server.log');
  const service = await startService({ name: 'Sentinel', command: program, args: [config, '--sentinel'], log });
  stack.defer(() => service.stop());
  return port;
}

/** A small disk of memory under both Redis servers, so that it can be full; says why not where it cannot be had. */
function mountDisk(folder: string, stack: AsyncDisposableStack): string | undefined {
  mkdirSync(folder, { recursive: true });
  if (process.getuid?.() !== 0) return 'only root may mount a small disk';
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK}`, 'tmpfs', folder], { encoding: 'utf8' });
  if (mounted.status !== 0) return `a small disk could not be mounted: ${mounted.stderr.trim()}`;
  const unmount = () => void spawnSync('umount', ['--lazy', folder]);
  process.once('exit', unmount);
  stack.defer(() => {
    process.off('exit', unmount);
    unmount();
  });
  return undefined;
}
