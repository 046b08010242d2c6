/** Jobs that are asked for together, against every order of asking, beginning and dying: each who asked is followed by one, and those who asked at once by the same. */
import { expect, test } from 'vitest';
import { runKeyOf } from '../../shared/contract-kit/names.ts';
import { type RandomStream, randomStream } from '../../shared/random.ts';
import type { RunDocument } from '../../shared/store/ports.ts';
import { type RelayParts, relayOf } from './relay.ts';

const INTENT = { type: 'enqueue', kind: 'pipeline', key: 'refresh', input: {}, together: { waitMs: 30_000 } } as const;
const RUN = { tenant: 'main', asOf: 1 } as RunDocument;

/** A ledger and a queue whose every answer waits until the test lets it go; a call that is let go with a crash never answers. */
class Deployment {
  moment = 0;
  /** By run key: when its job was added, and when it began. */
  readonly jobs = new Map<string, { readonly added: number; began?: number }>();
  readonly places: { readonly asOf: number; readonly delayMs?: number | undefined }[] = [];
  readonly #gates: ((dies: boolean) => void)[] = [];

  get waiting(): number {
    return this.#gates.length;
  }

  async #gate(): Promise<void> {
    const dies = await new Promise<boolean>((resolve) => this.#gates.push(resolve));
    if (dies) throw new Error('the process died');
  }

  async letGo(at: number, dies: boolean): Promise<void> {
    this.moment += 1;
    this.#gates.splice(at, 1)[0]?.(dies);
    await new Promise(setImmediate);
  }

  readonly parts: RelayParts = {
    orchestrator: { advance: async () => {} },
    clock: { now: () => this.moment },
    ledger: {
      read: async (runKey) => {
        await this.#gate();
        return this.jobs.get(runKey)?.began === undefined ? undefined : RUN;
      },
    },
    enqueuer: {
      enqueue: async (kind, _input, place) => {
        await this.#gate();
        const runKey = runKeyOf(place.tenant, kind, place.key!);
        if (!this.jobs.has(runKey)) {
          this.jobs.set(runKey, { added: this.moment });
          this.places.push({ asOf: place.asOf, delayMs: place.delayMs });
        }
        return runKey;
      },
    },
  };

  /** Jobs whose run nobody has claimed. */
  get unbegun(): { readonly added: number; began?: number }[] {
    return [...this.jobs.values()].filter(({ began }) => began === undefined);
  }
}

const ACTS = 12;

/** Acts that ask, each again after its process has died, while jobs begin now and then. Returns when each act was done. */
async function play(draw: RandomStream, world: Deployment, begins: number): Promise<number[]> {
  const relay = relayOf(world.parts);
  const doneAt: number[] = [];
  const open = new Set<symbol>();
  const ask = (): void => {
    const asking = Symbol('asking');
    open.add(asking);
    relay(INTENT, RUN).then(
      () => open.delete(asking),
      () => {
        open.delete(asking);
        ask(); // the run is not marked as followed: a sweeper does it again
      },
    );
  };
  while (doneAt.length < ACTS || open.size > 0) {
    const what = draw.below(10);
    if (what < 2 && doneAt.length < ACTS) {
      doneAt.push(++world.moment);
      ask();
    } else if (what < 2 + begins && world.unbegun.length > 0) world.unbegun[0]!.began = ++world.moment;
    if (world.waiting > 0) await world.letGo(draw.below(world.waiting), draw.below(8) === 0);
  }
  for (const job of world.unbegun) job.began = ++world.moment;
  return doneAt;
}

test('whoever asks is followed by a job that begins after what they did, whatever dies meanwhile', async () => {
  for (let seed = 1; seed <= 300; seed++) {
    const world = new Deployment();
    const doneAt = await play(randomStream(seed, 'together'), world, 1 + (seed % 3));
    const last = Math.max(...[...world.jobs.values()].map(({ began }) => began!));
    for (const done of doneAt) expect(last, `seed ${seed}`).toBeGreaterThan(done);
    expect(world.jobs.size, `seed ${seed}`).toBeLessThanOrEqual(ACTS);
  }
});

test('many who ask before any begins are one job, however many die; who asks after it has begun is another', async () => {
  for (let seed = 1; seed <= 100; seed++) {
    const world = new Deployment();
    await play(randomStream(seed, 'one'), world, -10);
    expect(world.jobs.size, `seed ${seed}`).toBe(1);
    expect(world.places[0]).toMatchObject({ delayMs: 30_000 });
    await play(randomStream(seed, 'two'), world, -10);
    expect(world.jobs.size, `seed ${seed}`).toBe(2);
  }
});

test('a key of its own is one job, for ever', async () => {
  const asked: unknown[] = [];
  const { parts } = new Deployment();
  const enqueue = async (...given: unknown[]): Promise<string> => String(asked.push(given));
  const { together: _together, ...alone } = INTENT;
  await relayOf({ ...parts, enqueuer: { enqueue } })(alone, RUN);
  expect(asked).toEqual([['pipeline', {}, { tenant: 'main', key: 'refresh', asOf: 1 }]]);
});
