/** Trainings that are ended between two epochs and begun again, against a real store. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CanonicalEvent } from '../../shared/contract-kit/event.ts';
import { runKeyOf } from '../../shared/contract-kit/names.ts';
import { AppError } from '../../shared/errors.ts';
import { bytesOf, peopleByConsent, withdraw } from '../conformance/consents.ts';
import { loadPlatform } from '../conformance/platform.ts';
import { openWorld, runOnce, TENANT, type World } from '../conformance/world.ts';
import type { Ports } from '../runtime/processor.ts';
import embeddingTraining from './processor.ts';

let world: World;
let ports: Ports;
let dataset: string;
let events: readonly CanonicalEvent[];
beforeAll(async () => {
  world = await openWorld();
  ports = { ...world.ports, checkpoints: { everyEpochs: 1, everyMs: 0, bytesMax: 2 ** 30 } };
  ({ dataset, events } = await loadPlatform(ports));
});
afterAll(() => world[Symbol.asyncDispose]());

const EPOCHS = 3;
/** What a whole run tells: two fits of so many epochs. */
const TOLD = Array.from({ length: 2 * EPOCHS }, (_, n) => Math.round((1000 * (n + 1)) / (2 * EPOCHS)));
const input = () => ({ dataset, params: { factors: 16, epochs: EPOCHS } });

/** Ends the attempt when so many epochs have been told of. */
async function endAfter(key: string, epochs: number, given: Ports = ports, asked: object = {}): Promise<void> {
  const control = new AbortController();
  let told = 0;
  const run = runOnce(
    given,
    embeddingTraining,
    { ...input(), ...asked },
    {
      key,
      before: (verb, own) => {
        if (verb !== 'compute') return;
        control.signal.addEventListener('abort', () => own.abort(new AppError('WORKER_STOPPING')));
      },
      progress: () => {
        told += 1;
        if (told === epochs) control.abort();
      },
    },
  );
  await expect(run).rejects.toMatchObject({ code: 'WORKER_STOPPING' });
}

async function finish(
  key: string,
  given: Ports = ports,
  asked: object = {},
): Promise<{ told: number[]; bytes: Record<string, string> }> {
  const told: number[] = [];
  const { output } = await runOnce(
    given,
    embeddingTraining,
    { ...input(), ...asked },
    {
      key,
      progress: ({ done }) => void told.push(done),
    },
  );
  return { told, bytes: await bytesOf(world.store, output.version) };
}

describe('a training that is ended', () => {
  test('goes on after the last epoch that it kept, on any number of threads, with the same bytes', async () => {
    const whole = await finish('whole', world.ports);
    expect(whole.told).toEqual(TOLD);
    await using single = await world.withThreads(1);
    const other = { ...single, checkpoints: ports.checkpoints! };
    for (let epochs = 1; epochs < TOLD.length; epochs++) {
      await endAfter(`ended after ${epochs}`, epochs);
      const resumed = await finish(`ended after ${epochs}`, epochs % 2 === 0 ? ports : other);
      expect(resumed.told).toEqual(TOLD.slice(epochs));
      expect(resumed.bytes).toEqual(whole.bytes);
    }
  });

  test('remembers what its validation has been, and stops where it would have', async () => {
    const asked = { params: { factors: 16, epochs: 40 }, patience: 2, holdout: 0.2 };
    const whole = await finish('stopped by itself', ports, asked);
    for (const epochs of [2, whole.told.length - 3, whole.told.length - 1]) {
      await endAfter(`stopped at ${epochs}`, epochs, ports, asked);
      const resumed = await finish(`stopped at ${epochs}`, ports, asked);
      expect(resumed.told).toEqual(whole.told.slice(epochs));
      expect(resumed.bytes).toEqual(whole.bytes);
    }
  });

  test('begins again where code or parameters are others, or nothing was kept', async () => {
    await endAfter('other code', 2);
    expect((await finish('other code', { ...ports, codeVersion: 'newer' })).told).toEqual(TOLD);
    const rules = { everyEpochs: 1, everyMs: 3600_000, bytesMax: 2 ** 30 };
    await endAfter('kept seldom', 2, { ...ports, checkpoints: rules });
    expect((await finish('kept seldom')).told).toEqual(TOLD);
    await endAfter('too large', 2, { ...ports, checkpoints: { ...rules, everyMs: 0, bytesMax: 100 } });
    expect((await finish('too large')).told).toEqual(TOLD);
    await endAfter('every second', 3, { ...ports, checkpoints: { ...rules, everyMs: 0, everyEpochs: 2 } });
    expect((await finish('every second')).told).toEqual(TOLD.slice(3)); // the last epoch of a fit is kept too
  });

  test('begins again when somebody whom it learned from has withdrawn, and learns nothing of them', async () => {
    const { allowed } = await peopleByConsent(world.store, 'recommendation');
    const willing = new Set(allowed.values());
    const gone = events.find(({ type, user }) => type === 'like' && willing.has(user))!.user;
    await endAfter('before the word', 4);
    await withdraw(ports, gone, 'recommendation');
    const resumed = await finish('before the word');
    expect(resumed.told).toEqual(TOLD);
    expect(resumed.bytes).toEqual((await finish('fresh', world.ports)).bytes);
  });

  test('keeps one state of each of its fits, under its run key', async () => {
    await endAfter('kept', 5);
    const { checkpoints } = world.store;
    const runKey = runKeyOf(TENANT, 'embedding-training', 'kept');
    expect(await checkpoints.runs(100)).toContainEqual({ tenant: TENANT, runKey });
    await checkpoints.remove(TENANT, runKey);
    expect(await checkpoints.runs(100)).not.toContainEqual({ tenant: TENANT, runKey });
    expect((await finish('kept')).told).toEqual(TOLD);
  });
});
