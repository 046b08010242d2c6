/** Owns dealing the faults that strike by the clock, and healing what they broke. */
import { type Fault, faultCounts, type FaultName } from './faults.ts';
import type { Fleet } from './fleet.ts';
import type { ChaosServer, ChaosServers } from './servers.ts';

export class Dealer {
  readonly dealt: Record<FaultName, number> = faultCounts(() => 0);
  readonly skipped = new Set<string>();
  readonly #fleet: Fleet;
  readonly #servers: ChaosServers;
  readonly #busy = new Map<ChaosServer, Promise<void>>();

  constructor(fleet: Fleet, servers: ChaosServers) {
    this.#fleet = fleet;
    this.#servers = servers;
  }

  deal({ name, ms, pick }: Fault): void {
    const { redis, mongodb } = this.#servers;
    if (name === 'kill') this.#fleet.kill(pick);
    else if (name === 'freeze') this.#fleet.freeze(pick, ms);
    else if (name === 'redis-half-open') this.#halfOpen(redis, ms);
    else if (name === 'mongodb-half-open') this.#halfOpen(mongodb, ms);
    else if (!this.#restart(name === 'redis-restart' ? redis : mongodb, ms, pick < 0.5)) {
      this.skipped.add(`${name} (the server is not ours)`);
      return;
    }
    this.dealt[name]++;
  }

  #halfOpen({ proxy }: ChaosServer, ms: number): void {
    this.#fleet.disturb();
    proxy.halfOpen();
    setTimeout(() => proxy.heal(), ms);
  }

  /** One after the other for one server. */
  #restart(server: ChaosServer, ms: number, isKilled: boolean): boolean {
    const { restart } = server;
    if (restart === undefined) return false;
    const before = this.#busy.get(server);
    const inTurn = async () => {
      await before;
      this.#fleet.disturb();
      await restart(ms, isKilled);
      this.#fleet.disturb();
    };
    this.#busy.set(server, inTurn());
    return true;
  }

  async healed(): Promise<void> {
    await Promise.all(this.#busy.values());
    for (const server of [this.#servers.redis, this.#servers.mongodb]) server.proxy.heal();
  }
}
