/** Steps of a training in blocks, against a real store. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CanonicalEvent } from '../../shared/contract-kit/event.ts';
import { bytesOf, peopleByConsent, withdraw } from '../conformance/consents.ts';
import { loadPlatform } from '../conformance/platform.ts';
import { openWorld, runOnce, TENANT, type World } from '../conformance/world.ts';
import embeddingTraining from '../embedding-training/processor.ts';
import shardedTraining from './processor.ts';

let world: World;
let dataset: string;
let events: readonly CanonicalEvent[];
beforeAll(async () => {
  world = await openWorld();
  ({ dataset, events } = await loadPlatform(world.ports));
});
afterAll(() => world[Symbol.asyncDispose]());

const params = { factors: 16, epochs: 1 };
const ask = async (input: object) => runOnce(world.ports, shardedTraining, input as never);
const versionOf = async (input: object): Promise<string> => (await ask(input)).output.version;

/** All strata of a cut, sweep by sweep. */
async function learn(cut: string, { blocks, rounds }: { readonly blocks: number; readonly rounds: number }) {
  let before: string[] = [];
  for (let round = 0; round < rounds; round++) {
    for (let sweep = 0; sweep < blocks; sweep++) {
      const learned: string[] = [];
      for (let block = 0; block < blocks; block++)
        learned.push(await versionOf({ learn: { cut, round, sweep, block, before } }));
      before = learned;
    }
  }
  return before;
}

/** One epoch over the blocks of a cut. */
async function train(cut: string): Promise<{ readonly users: string[]; readonly items: string[] }> {
  const block = { cut, block: 0, warm: null };
  const users = [await versionOf({ solve: { ...block, side: 'users', others: [] } })];
  return { users, items: [await versionOf({ solve: { ...block, side: 'items', others: users } })] };
}

describe('sharded-training', () => {
  test('makes the embeddings of one process, and says from what', async () => {
    const { output, run } = await ask({ cut: { dataset, params } });
    expect(output).toMatchObject({ blocks: { users: 1, items: 1 }, epochs: 1 }); // a small side is one block
    const cut = output.version;
    const joined = await ask({ join: { cut, ...(await train(cut)) } });
    const whole = await runOnce(world.ports, embeddingTraining, { dataset, params, holdout: 0, plainSimd: true });
    expect(await bytesOf(world.store, joined.output.version)).toEqual(await bytesOf(world.store, whole.output.version));
    const [made, one] = await Promise.all(
      [joined.output.version, whole.output.version].map((version) => world.store.versions.read(TENANT, version)),
    );
    expect(made!.meta).toMatchObject({ model: 'ials', params: whole.output.params, engine: whole.output.engine });
    expect(made).toMatchObject({ asOf: one!.asOf, consentEpoch: run.lineage!.consentEpoch, inputs: [dataset, cut] });
  });

  test('carries the consents of its cut: embeddings of somebody who has withdrawn since are stale from the start', async () => {
    const cut = await versionOf({ cut: { dataset, params } });
    const { allowed } = await peopleByConsent(world.store, 'recommendation');
    const gone = events.find(({ type, user }) => type === 'like' && [...allowed.values()].includes(user))!.user;
    const solved = await train(cut);
    await withdraw(world.ports, gone, 'recommendation');
    const late = await versionOf({ join: { cut, ...solved } });
    expect((await world.store.versions.read(TENANT, late)).state).toBe('stale');
    const fresh = await versionOf({ cut: { dataset, params } });
    const next = await ask({ join: { cut: fresh, ...(await train(fresh)) } });
    expect((await world.store.versions.read(TENANT, next.output.version)).state).toBe('ready');
    expect(next.output.users).toBe((await ask({ join: { cut, ...solved } })).output.users! - 1);
  });

  test.each([
    ['histories', {}],
    ['walks', { over: 'walks', walks: { length: 10, perNode: 2 } }],
    ['ages', { halfLifeDays: 10, order: 'time' }],
  ])('makes the bytes of one process of item2vec too: %s', async (_what, more) => {
    const own = { factors: 16, epochs: 2, blocks: 2, roundPairs: 4000, ...more };
    const { output } = await ask({ cut: { dataset, model: 'item2vec', params: own } });
    expect(output.strata!.blocks).toBe(2);
    expect(output.strata!.rounds).toBeGreaterThan(2);
    const strata = await learn(output.version, output.strata!);
    const joined = await ask({ join: { cut: output.version, strata } });
    const asked = { dataset, model: 'item2vec' as const, params: own, holdout: 0, plainSimd: true };
    const whole = await runOnce(world.ports, embeddingTraining, asked);
    expect(await bytesOf(world.store, joined.output.version)).toEqual(await bytesOf(world.store, whole.output.version));
    expect(joined.output).toMatchObject({ users: whole.output.users, factors: 17 });
    const [made, one] = await Promise.all(
      [joined.output.version, whole.output.version].map((version) => world.store.versions.read(TENANT, version)),
    );
    expect(made!.meta).toMatchObject({ model: 'item2vec', params: whole.output.params, engine: whole.output.engine });
    expect(made!.asOf).toBe(one!.asOf);
  });

  test('makes rounds larger where a schedule of item2vec would not fit a pipeline, and refuses what cannot', async () => {
    const own = { factors: 16, epochs: 300, blocks: 2, roundPairs: 1000 };
    const { output } = await ask({ cut: { dataset, model: 'item2vec', params: own } });
    expect(output.strata).toEqual({ blocks: 2, rounds: 300 });
    const cut = (more: object) => ask({ cut: { dataset, model: 'item2vec', params: { ...own, ...more } } });
    await expect(cut({ epochs: 301 })).rejects.toMatchObject({ code: 'INPUT_INVALID', details: { field: 'blocks' } });
    await expect(cut({ halfLifeDays: -1 })).rejects.toMatchObject({ code: 'MODEL_PARAMS_INVALID' });
  });

  test('refuses strata that are not there, a sweep that is not whole, and steps of another model', async () => {
    const own = { factors: 16, epochs: 1, blocks: 2 };
    const cut = await versionOf({ cut: { dataset, model: 'item2vec', params: own } });
    const first = { cut, round: 0, sweep: 0, block: 0, before: [] };
    for (const wrong of [{ block: 2 }, { sweep: 2 }, { round: 99 }, { sweep: 1 }])
      await expect(ask({ learn: { ...first, ...wrong } })).rejects.toMatchObject({ code: 'INPUT_INVALID' });
    const rows = await versionOf({ cut: { dataset, params } });
    await expect(ask({ learn: { ...first, cut: rows } })).rejects.toMatchObject({
      code: 'INPUT_INVALID',
      details: { model: 'ials' },
    });
    await expect(ask({ join: { cut: rows, strata: [cut] } })).rejects.toMatchObject({ code: 'INPUT_INVALID' });
  });

  test('refuses parameters, blocks that are not there, and more steps than a pipeline holds', async () => {
    await expect(ask({ cut: { dataset, params: { factors: 0 } } })).rejects.toMatchObject({
      code: 'MODEL_PARAMS_INVALID',
    });
    await expect(ask({ cut: { dataset, params: { epochs: 1000 } } })).rejects.toMatchObject({ code: 'INPUT_INVALID' });
    const cut = await versionOf({ cut: { dataset, params } });
    const beyond = { solve: { cut, side: 'users', block: 9, others: [], warm: null } };
    await expect(ask(beyond)).rejects.toMatchObject({ code: 'INPUT_INVALID' });
    await expect(ask({ join: { cut: dataset, users: ['x'], items: ['x'] } })).rejects.toMatchObject({
      code: 'INPUT_INVALID',
    });
  });
});
