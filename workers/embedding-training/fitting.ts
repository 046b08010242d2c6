/** Owns what the two fits of a training have in common: what they are asked for, and what they run on. */
import type { embeddingTraining } from '../../jobs/embedding-training/contract.ts';
import type { ContractParsed } from '../../shared/contract-kit/define-job.ts';
import type { Model } from '../../shared/numerics/models/registry.ts';
import type { FitContext } from '../../shared/numerics/types.ts';
import type { RunContext } from '../runtime/processor.ts';
import type { Origin } from './checkpoints.ts';

export type Input = ContractParsed<typeof embeddingTraining>;

export interface Training {
  readonly input: Input;
  readonly model: Model;
  readonly params: Readonly<Record<string, unknown>>;
}

/** Models that are looked at between epochs; the others stop by a validation part of their own. */
export const isWatched = (model: string): boolean => ['ials', 'bpr', 'warp', 'item2vec'].includes(model);

export const originOf = ({ input, model, params }: Training): Origin => ({
  model: model.name,
  params,
  seed: input.seed,
});

/** Both fits report within one range, so that progress never runs backwards. */
export function fitContext(
  { input }: Training,
  context: RunContext,
  [from, to]: readonly [number, number],
  hooks: Pick<FitContext, 'checkpoints' | 'watch' | 'warmStart'>,
): FitContext {
  const { pool, signal, progress, tfjsNative } = context;
  return {
    pool,
    signal,
    seed: input.seed,
    ...hooks,
    ...(input.plainSimd === true && { deterministic: true }),
    onProgress: ({ done, total, label, metrics }) => {
      const share = from + (to - from) * (done / Math.max(1, total));
      progress({ done: Math.round(share * 1000), total: 1000, label, ...(metrics && { metrics }) });
    },
    ...(tfjsNative === undefined ? {} : { tensorflow: { nativePath: tfjsNative } }),
  };
}
