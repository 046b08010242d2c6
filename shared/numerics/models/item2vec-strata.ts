/**
 * Owns item2vec as strata: the schedule of a fit that several processes learn together (../sgd/sgns-strata.ts). It is part of the parameters, so one process
 * with the same ones makes the same bytes.
 */
import { AppError } from '../../errors.ts';
import { checkSequences, type Schedule, scheduleOf } from '../sgd/sgns-strata.ts';
import { ROUND_PAIRS_MAX, type SgnsInput } from '../sgd/sgns.ts';
import type { FitContext, SparseRows, TrainInput } from '../types.ts';
import { type Item2vecParams, readItem2vec, sgnsParamsOf } from './item2vec.ts';

export type StrataItem2vecParams = Item2vecParams & { readonly blocks: number };

export interface CutItem2vec {
  readonly params: StrataItem2vecParams;
  readonly skipGram: SgnsInput;
  readonly likes: SparseRows;
  readonly schedule: Schedule;
}

/** What the steps of a run are counted by: those that one round of so many blocks takes, and how many there may be. */
export interface StepBounds {
  readonly stepsOf: (blocks: number) => number;
  readonly stepsMax: number;
  readonly roundsMax: number;
}

/**
 * Checks and reads the data. Blocks are as many as are asked for and the data has, unless the parameters say; where rounds are more than the bounds allow,
 * each has more pairs. @throws AppError NUMERICS_INPUT_INVALID, DATASET_EMPTY, CANCELLED; INPUT_INVALID where no schedule fits the bounds.
 */
export async function cutItem2vec(
  input: TrainInput,
  given: Item2vecParams,
  asked: number,
  bounds: StepBounds,
  context: FitContext,
): Promise<CutItem2vec> {
  const { likes, skipGram } = await readItem2vec(input, given, context);
  await checkSequences(skipGram, context);
  const own = scheduleOf(skipGram, sgnsParamsOf(given));
  const blocks = given.blocks === 'auto' ? Math.min(asked, own.blocks) : given.blocks;
  const rounds = Math.min(bounds.roundsMax, Math.floor(bounds.stepsMax / bounds.stepsOf(blocks)));
  const most = Math.floor(rounds / given.epochs);
  const tokens = skipGram.sequences.tokens.length;
  const least = Math.ceil(tokens / Math.max(1, most)) * 2 * given.window;
  const roundPairs = own.roundsPerEpoch <= most ? given.roundPairs : least;
  if (most === 0 || roundPairs > ROUND_PAIRS_MAX)
    throw new AppError('INPUT_INVALID', {
      message: `${given.epochs} epochs in ${blocks} blocks are more than ${bounds.stepsMax} steps: ask for fewer blocks or epochs.`,
      details: { field: 'blocks', stepsMax: bounds.stepsMax },
    });
  const params = { ...given, blocks, roundPairs };
  return { params, skipGram, likes, schedule: scheduleOf(skipGram, sgnsParamsOf(params)) };
}
