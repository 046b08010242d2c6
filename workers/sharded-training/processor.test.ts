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
