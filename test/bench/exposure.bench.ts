/**
 * Owns who is seen on the simulated platform, where the truth is known: the minority culture's share of the exposure in everybody's lists
 * beside its share of true relevance and of lists that know the truth, for plain factorisation and for prototypes. `npm run bench -- exposure [--people 1500 --videos 1500
 * --events 200000]`.
 */
import { parseArgs } from 'node:util';
import { computePool } from '../../shared/compute/pool.ts';
import { measureModel } from '../../shared/numerics/evaluation/evaluate-model.ts';
import type { Dataset } from '../../shared/numerics/evaluation/dataset.ts';
import type { InteractionFile } from '../../shared/numerics/evaluation/interaction-file.ts';
import { splitInteractions } from '../../shared/numerics/evaluation/splits.ts';
import { prepareTask } from '../../shared/numerics/evaluation/task.ts';
import { itemExposure } from '../../shared/numerics/fairness/exposure.ts';
import { INTERACTION_TABLE } from '../../shared/numerics/interactions/weights.ts';
import { findModel } from '../../shared/numerics/models/registry.ts';
import { simulate, type Simulation } from '../../shared/sources/simulated/index.ts';
import { PLAIN } from './accuracy.bench.ts';
import { machine } from './interleave.ts';
import { nativeTensorFlow } from './native-tensorflow.ts';

const K = 10;
const SEED = 1;
const VARIANTS = {
  'plain factorisation': PLAIN,
  prototypes: {},
  'prototypes, lift 0': { lift: 0 },
  'prototypes, lift 0.6': { lift: 0.6 },
};

export async function main(args: string[]): Promise<void> {
  const size = { type: 'string' } as const;
  const { values } = parseArgs({ args, options: { people: size, videos: size, events: size } });
  const platform = simulate({
    people: Number(values.people ?? 1500),
    videos: Number(values.videos ?? 1500),
    events: Number(values.events ?? 200_000),
  });
  const { test, train } = splitInteractions(likings(platform), { split: 'random', share: 0.1, seed: SEED });
  const { dataset, task } = prepareTask({ train, test, masks: [], k: K });
  await using pool = computePool({ threads: 2 });
  const minority = new Set([...platform.truth.items()].filter((item) => item.minority).map(({ id }) => id));
  const isMinority = dataset.itemIds.map((id) => minority.has(id));
  const wanted = trueShare(platform, dataset.itemIds, isMinority);
  console.log(machine());
  console.log(
    `\n  ${dataset.userIds.length} people, ${dataset.itemIds.length} videos; the minority culture's share of true relevance: ${wanted.toFixed(4)}`,
  );
  const learned = new Float64Array(dataset.itemIds.length);
  for (const item of dataset.train.interactions.indices) learned[item]!++;
  console.log(
    `  its share of what is learned from: ${shareOf(learned, isMinority).toFixed(4)}, of the exposure in lists by true relevance: ${shareOf(perfectExposure(platform, dataset), isMinority).toFixed(4)}`,
  );
  for (const [name, params] of Object.entries(VARIANTS)) {
    const { evaluation, parts } = await measureModel(findModel('proto-mf'), params, task, {
      pool,
      seed: SEED,
      tensorflow: nativeTensorFlow(),
    });
    const exposure = itemExposure(parts[0]!.lists!.items, K, dataset.itemIds.length);
    const share = shareOf(exposure, isMinority);
    console.log(
      `  ${name.padEnd(24)} exposure ${share.toFixed(4)}, away from relevance by ${Math.abs(share - wanted).toFixed(4)}; NDCG@${K} ${evaluation.ndcg.toFixed(4)}, ${evaluation.trainSeconds.toFixed(1)} s`,
    );
  }
}

/** What people (bots left out) said that they like, by the table that training reads. */
function likings(platform: Simulation): InteractionFile {
  const bots = new Set([...platform.truth.people()].filter(({ bot }) => bot !== null).map(({ id }) => id));
  const users: string[] = [];
  const items: string[] = [];
  for (const { item, type, user, value } of platform.events()) {
    const { positiveFrom, weight } = INTERACTION_TABLE[type];
    if (item === undefined || weight === 0 || bots.has(user)) continue;
    const from = positiveFrom === undefined ? -Infinity : 'value' in positiveFrom ? positiveFrom.value : Infinity;
    if ((value ?? 0) < from) continue;
    users.push(user);
    items.push(item);
  }
  const ones = new Float64Array(users.length).fill(1);
  return { users, items, values: ones, times: ones.map(() => Number.NaN) };
}

/** Of lists that know the truth: the most relevant videos that a person is not known to like. */
function perfectExposure(platform: Simulation, { itemIds, train, userIds }: Dataset): Float64Array {
  const rows = [...platform.truth.relevanceRows()];
  const people = new Map([...platform.truth.people()].map(({ id }, place) => [id, place]));
  const places = new Map([...platform.truth.items()].map(({ id }, place) => [id, place]));
  const { indices, indptr } = train.interactions;
  const lists = userIds.flatMap((id, user) => {
    const known = new Set(indices.subarray(indptr[user], indptr[user + 1]));
    const row = rows[people.get(id)!]!;
    const relevance = itemIds.map((item) => row[places.get(item)!]!);
    const others = [...itemIds.keys()].filter((item) => !known.has(item));
    return others.sort((a, b) => relevance[b]! - relevance[a]!).slice(0, K);
  });
  return itemExposure(Int32Array.from(lists), K, itemIds.length);
}

/** The minority's share of the relevance of the catalogue to everybody. */
function trueShare({ truth }: Simulation, itemIds: readonly string[], isMinority: readonly boolean[]): number {
  const places = new Map([...truth.items()].map(({ id }, place) => [id, place]));
  const relevance = new Float64Array(itemIds.length);
  for (const row of truth.relevanceRows()) itemIds.forEach((id, n) => (relevance[n]! += row[places.get(id)!]!));
  return shareOf(relevance, isMinority);
}

function shareOf(amounts: Float64Array, isMeant: readonly boolean[]): number {
  let [own, all] = [0, 0];
  amounts.forEach((amount, n) => {
    all += amount;
    if (isMeant[n]) own += amount;
  });
  return own / all;
}
