/**
 * Owns how a fit that lies in a kernel's memory is kept between two epochs and brought back: some regions as they are, bit for bit. What
 * else lies there is made again from the data.
 */
import type { FitContext } from '../types.ts';
import { engineIdentity } from './identity.ts';
import type { Engine } from './load.ts';
import { f32, type Region } from './memory.ts';

export class MemoryState {
  readonly #context: Pick<FitContext, 'checkpoints'>;
  readonly #engine: Engine;
  readonly #memory: WebAssembly.Memory;
  readonly #regions: Readonly<Record<string, Region>>;

  /** `regions` hold float32. */
  constructor(
    context: Pick<FitContext, 'checkpoints'>,
    engine: Engine,
    memory: WebAssembly.Memory,
    regions: Readonly<Record<string, Region>>,
  ) {
    this.#context = context;
    this.#engine = engine;
    this.#memory = memory;
    this.#regions = regions;
  }

  /** Brings the last state back, if there is one of this engine, and says how many epochs are done. */
  async resume(): Promise<number> {
    const state = await this.#context.checkpoints?.last(engineIdentity(this.#engine));
    if (state === undefined) return 0;
    for (const [name, region] of Object.entries(this.#regions)) f32(this.#memory, region).set(state.arrays[name]!);
    return state.epoch;
  }

  async offer(epoch: number, isLast: boolean): Promise<void> {
    const arrays = () =>
      Object.fromEntries(Object.entries(this.#regions).map(([name, region]) => [name, f32(this.#memory, region)]));
    await this.#context.checkpoints?.offer({
      engine: engineIdentity(this.#engine),
      epoch,
      isLast,
      state: () => ({ facts: {}, arrays: arrays() }),
    });
  }
}
