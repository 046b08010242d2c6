/** Candidates of a simulated platform, against a real store. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { INTERACTION_TABLE } from '../../shared/numerics/interactions/weights.ts';
import type { ServedCandidates } from '../../shared/store/ports.ts';
import { bytesOf, hexKeys, peopleByConsent, withdraw } from '../conformance/consents.ts';
import { loadPlatform, type Platform } from '../conformance/platform.ts';
import { openWorld, runOnce, TENANT, type World } from '../conformance/world.ts';
import embeddingTraining from '../embedding-training/processor.ts';
import candidateGeneration from './processor.ts';

const K = 10;
let world: World;
let platform: Platform;
let input: { dataset: string; embeddings: string; k: number };

async function train(own: World, { dataset }: Platform): Promise<typeof input> {
  const { output } = await runOnce(own.ports, embeddingTraining, {
    dataset,
    params: { factors: 16, epochs: 5 },
    holdout: 0,
  });
  return { dataset, embeddings: output.version, k: K };
}
beforeAll(async () => {
  world = await openWorld();
  platform = await loadPlatform(world.ports);
  input = await train(world, platform);
});
afterAll(() => world[Symbol.asyncDispose]());

const served = (version: string, key: string, { store } = world): Promise<ServedCandidates | undefined> =>
  store.served.candidates(TENANT, version, Buffer.from(key, 'hex'));

describe('candidate-generation', () => {
  test('ranks for everybody who allows recommendations and has events, without what they have met', async () => {
    const { output } = await runOnce(world.ports, candidateGeneration, input);
    const { allowed, refused } = await peopleByConsent(world.store, 'recommendation');
    const met = new Map<string, Set<string>>();
    const seen = platform.events.filter(({ type, item }) => item !== undefined && INTERACTION_TABLE[type].seen);
    for (const [user, own] of Map.groupBy(seen, ({ user }) => user)) {
      const keys = world.store.items.keys(
        TENANT,
        own.map(({ item }) => item!),
      );
      met.set(user, new Set(keys.map((key) => Buffer.from(key).toString('hex'))));
    }
    const withEvents = new Set(platform.events.map(({ user }) => user));
    let users = 0;
    for (const [key, user] of allowed) {
      const list = await served(output.version, key);
      expect(list !== undefined).toBe(withEvents.has(user));
      if (list === undefined) continue;
      users++;
      const items = list.items.map((item) => Buffer.from(item).toString('hex'));
      expect(new Set(items).size).toBe(items.length);
      expect(items.filter((item) => met.get(user)?.has(item))).toEqual([]);
      expect(list.scores).toEqual(list.scores.toSorted((a, b) => b - a));
    }
    for (const key of refused.keys()) expect(await served(output.version, key)).toBeUndefined();
    expect(output).toMatchObject({ users, k: K, fallbackItems: K });
    expect(output.coverage).toBeGreaterThan(0.2);
    const fallback = await world.store.served.fallback(TENANT, output.version);
    expect(fallback).toMatchObject({ origin: 'popularity' });
    expect(fallback!.items).toHaveLength(K);
    expect(fallback!.scores).toEqual(fallback!.scores.toSorted((a, b) => b - a));
    expect(fallback!.scores.at(-1)).toBeGreaterThan(0);
  });

  test('recommends nothing that has expired by the last act of the data set, to nobody', async () => {
    const { output } = await runOnce(world.ports, candidateGeneration, input);
    const last = Math.max(...platform.events.map(({ occurredAt }) => occurredAt));
    const version = await world.store.versions.read(TENANT, output.version);
    const arrays = await world.store.versions.arrays(TENANT, version);
    const keys = hexKeys(arrays.get('itemKeys') as Uint8Array).map((key) => Buffer.from(key, 'hex'));
    const known = await world.store.items.read(TENANT, keys);
    const expiry = keys.map((key) => Number(known.get(key.toString('hex'))?.attributes?.['expiresAt']));
    const shown = [...(arrays.get('items') as Int32Array)].filter((item) => item >= 0);
    const fallback = await world.store.served.fallback(TENANT, output.version);
    const general = fallback!.items.map((key) => keys.findIndex((other) => other.equals(key)));
    expect(expiry.filter((at) => at <= last).length).toBeGreaterThan(5);
    expect([...shown, ...general].filter((item) => expiry[item]! <= last)).toEqual([]);
    expect(version.meta['catalogue']).toBe(expiry.filter((at) => !(at <= last)).length);
  });

  test('gives as reason the liking that the item resembles most, and popularity gives none', async () => {
    const { output } = await runOnce(world.ports, candidateGeneration, input);
    const embeddings = await world.store.versions.arrays(
      TENANT,
      await world.store.versions.read(TENANT, input.embeddings),
    );
    const order = hexKeys(embeddings.get('itemKeys') as Uint8Array);
    const factors = embeddings.get('itemFactors') as Float32Array;
    const width = factors.length / order.length;
    const cosine = (a: string, b: string): number => {
      const [x, y] = [a, b].map((key) =>
        factors.subarray(order.indexOf(key) * width, (order.indexOf(key) + 1) * width),
      );
      let [dot, xx, yy] = [0, 0, 0];
      for (let d = 0; d < width; d++) {
        dot += x![d]! * y![d]!;
        xx += x![d]! ** 2;
        yy += y![d]! ** 2;
      }
      return dot / Math.sqrt(xx * yy);
    };
    const { allowed } = await peopleByConsent(world.store, 'recommendation');
    let reasoned = 0;
    for (const [key, user] of allowed) {
      const list = await served(output.version, key);
      if (list?.origin !== 'model') continue;
      const own = platform.events.filter((event) => event.user === user && event.item !== undefined);
      const met = world.store.items.keys(TENANT, [...new Set(own.map(({ item }) => item!))]);
      const history = new Set(met.map((item) => Buffer.from(item).toString('hex')));
      for (const [n, reason] of (list.reasons ?? []).entries()) {
        if (reason === undefined) continue;
        reasoned++;
        const [shown, why] = [list.items[n]!, reason].map((item) => Buffer.from(item).toString('hex')) as [
          string,
          string,
        ];
        expect(history.has(why)).toBe(true);
        expect(cosine(shown, why)).toBeGreaterThan(0.2);
      }
    }
    expect(reasoned).toBeGreaterThan(50);
    expect((await world.store.served.fallback(TENANT, output.version))!.reasons).toBeUndefined();
  });

  test('gives the same bytes twice and for any number of threads', async () => {
    const first = await runOnce(world.ports, candidateGeneration, input);
    await using ports = await world.withThreads(1);
    const second = await runOnce(ports, candidateGeneration, input);
    expect(await bytesOf(world.store, second.output.version)).toEqual(await bytesOf(world.store, first.output.version));
  });

  test('refuses features where embeddings are needed, and the other way round', async () => {
    const { dataset, embeddings } = input;
    await expect(runOnce(world.ports, candidateGeneration, { dataset, embeddings: dataset })).rejects.toMatchObject({
      code: 'INPUT_INVALID',
    });
    await expect(runOnce(world.ports, candidateGeneration, { dataset: embeddings, embeddings })).rejects.toMatchObject({
      code: 'INPUT_INVALID',
    });
  });

  test('follows consent: who withdrew before it has no list, who withdraws while it runs loses it', async () => {
    await using own = await openWorld();
    const ownPlatform = await loadPlatform(own.ports);
    const ownInput = await train(own, ownPlatform);
    const arrays = await own.store.versions.arrays(TENANT, await own.store.versions.read(TENANT, ownInput.embeddings));
    const { allowed } = await peopleByConsent(own.store, 'recommendation');
    const [early, late, stays] = hexKeys(arrays.get('subjects') as Uint8Array) as [string, string, string];
    await withdraw(own.ports, allowed.get(early)!, 'recommendation');
    const { output } = await runOnce(own.ports, candidateGeneration, ownInput, {
      before: (verb) => (verb === 'commit' ? withdraw(own.ports, allowed.get(late)!, 'recommendation') : undefined),
    });
    expect(await served(output.version, early, own)).toBeUndefined();
    expect(await served(output.version, late, own)).toBeUndefined();
    expect(await served(output.version, stays, own)).toMatchObject({ origin: 'model' });
  });

  test('gives what is popular to people whom the embeddings do not know', async () => {
    await using own = await openWorld();
    const half = await loadPlatform(own.ports, { days: 4, events: 2_000 });
    const ownInput = await train(own, half);
    const all = await loadPlatform(own.ports);
    const { output } = await runOnce(own.ports, candidateGeneration, { ...ownInput, dataset: all.dataset });
    const arrays = await own.store.versions.arrays(TENANT, await own.store.versions.read(TENANT, ownInput.embeddings));
    const known = new Set(hexKeys(arrays.get('subjects') as Uint8Array));
    const lists = await own.store.versions.arrays(TENANT, await own.store.versions.read(TENANT, output.version));
    const newcomers = hexKeys(lists.get('subjects') as Uint8Array).filter((key) => !known.has(key));
    expect(newcomers.length).toBeGreaterThan(0);
    for (const key of newcomers) expect(await served(output.version, key, own)).toMatchObject({ origin: 'popularity' });
  });
});
