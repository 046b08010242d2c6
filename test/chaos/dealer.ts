/** Owns dealing the faults that strike by the clock, and healing what they broke. */
import { type Fault, faultCounts, type FaultName } from './faults.ts';
import type { Fleet } from './fleet.ts';
import type { ChaosProxy } from './proxy.ts';
import type { ChaosServers } from './servers.ts';

export class Dealer {
  readonly dealt: Record<FaultName, number> = faultCounts(() => 0);
  /** Faults of the plan that cannot be dealt here, and why. */
  readonly skipped = new Map<FaultName, string>();
  readonly #fleet: Fleet;
  readonly #servers: ChaosServers;
  readonly #gateway: Fleet | undefined;
  /** What is done to one server is done in turn. */
  readonly #busy = new Map<object, Promise<void>>();

  constructor(fleet: Fleet, servers: ChaosServers, gateway: Fleet | undefined) {
    this.#gateway = gateway;
    this.#fleet = fleet;
    this.#servers = servers;
  }

  deal(fault: Fault): void {
    const obstacle = this.#obstacle(fault.name);
    if (obstacle !== undefined) return void this.skipped.set(fault.name, obstacle);
    this.dealt[fault.name]++;
    this.#deal(fault);
  }

  #obstacle(name: FaultName): string | undefined {
    const { redis, mongodb } = this.#servers;
    if (name === 'mongodb-restart' && mongodb.restart === undefined) return 'the server is not ours';
    if (name === 'gateway-kill' && this.#gateway === undefined) return 'there is no gateway';
    return name === 'redis-disk-full' ? redis.noDisk : undefined;
  }

  #deal({ name, ms, pick }: Fault): void {
    const { redis, mongodb } = this.#servers;
    const isKilled = pick < 0.5;
    switch (name) {
      case 'kill':
        return this.#fleet.kill(pick);
      case 'gateway-kill':
        return this.#gateway?.kill(pick);
      case 'freeze':
        return this.#fleet.freeze(pick, ms);
      case 'clock-step':
        return this.#fleet.stepClock(pick, Math.floor(pick * 1_000) % 2 === 0 ? ms : -ms);
      case 'redis-half-open':
        return this.#halfOpen(redis.proxy, ms);
      case 'mongodb-half-open':
        return this.#halfOpen(mongodb.proxy, ms);
      case 'redis-restart':
        return this.#inTurn(redis, () => redis.restart(ms, isKilled));
      case 'redis-disk-full':
        return this.#inTurn(redis, () => redis.fillDisk(ms));
      case 'redis-failover':
        return this.#inTurn(redis, () => redis.failOver());
      case 'redis-emptied':
        return this.#inTurn(redis, () => redis.empty());
      case 'mongodb-restart':
        return this.#inTurn(mongodb, async () => mongodb.restart?.(ms, isKilled));
    }
  }

  #halfOpen(proxy: ChaosProxy, ms: number): void {
    this.#fleet.disturb();
    proxy.halfOpen();
    setTimeout(() => proxy.heal(), ms);
  }

  #inTurn(server: object, work: () => Promise<void>): void {
    const before = this.#busy.get(server);
    const turn = async () => {
      await before;
      this.#fleet.disturb();
      await work();
      this.#fleet.disturb();
    };
    this.#busy.set(server, turn());
  }

  async healed(): Promise<void> {
    await Promise.all(this.#busy.values());
    for (const server of [this.#servers.redis, this.#servers.mongodb]) server.proxy.heal();
    this.#fleet.healClocks();
  }
}
