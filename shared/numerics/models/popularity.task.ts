/** Owns what the threads of the popularity model do. */
import { checkTrainInput } from '../check-input.ts';
import { instantiate } from '../engine/load.ts';
import { f32, i32 } from '../engine/memory.ts';
import { takeChunks } from '../engine/work-sharing.ts';
import { type BlockPayload, USERS_PER_CHUNK } from '../ranking/rank-blocks.ts';
import type { TrainInput } from '../types.ts';
import type { PopularityParams, PopularityRegions } from './popularity.ts';

type Payload = BlockPayload<PopularityRegions, { readonly scores: Float32Array }>;

export function count(payload: {
  readonly input: TrainInput;
  readonly params: PopularityParams;
  readonly scores: Float32Array;
}): void {
  const { input, params, scores } = payload;
  checkTrainInput(input, { signed: true });
  const { indices, values } = input.interactions;
  // Sums in float64 first: adding 1 to a float32 stops at 2^24. A dislike is no popularity.
  const sums = new Float64Array(scores.length);
  for (let at = 0; at < indices.length; at++) {
    if (values[at]! <= 0) continue;
    const own = params.count === 'sum' ? values[at]! : 1;
    sums[indices[at]!]! += own * (input.influence?.[at] ?? 1);
  }
  scores.set(sums);
}

export function prepareRanking({ memory, regions, source }: Payload): void {
  f32(memory, regions.vector).set(source.scores);
}

/** All users share the vector. */
export function loadUsers(): void {}

export function rankBlock(payload: Payload): void {
  const { k, layout, memory, regions } = payload;
  const kernels = instantiate(payload.module, memory);
  const scratch = layout.scratch[payload.thread ?? 0]!.at;
  const userHashes = i32(memory, layout.userHashes);
  takeChunks(memory, layout.counter, payload.to - payload.from, USERS_PER_CHUNK, (from, to) => {
    for (let user = from; user < to; user++) {
      kernels.rankScores(
        regions.vector.at,
        payload.items,
        user,
        userHashes[user]!,
        layout.itemHashes.at,
        layout.indptr.at,
        layout.excluded.at,
        k,
        layout.items.at + user * k * 4,
        layout.scores.at + user * k * 4,
        scratch,
      );
    }
  });
}
