/**
 * Owns the pipeline `tune`: successive halving over a model's declared space (Jamieson and Talwalkar, AISTATS 2016). The first round tries all sets of parameters
 * with a share of the epochs, each next one the best third with three times as many, the last one with all. One round is a plain random search. Sets are
 * drawn from the seed; the first one is the model's defaults, so that what is chosen is never worse than they are on the validation part.
 */
import { z } from 'zod';
import { AppError } from '../shared/errors.ts';
import { definePipeline, fanOut, type StepContext, rounds, step } from './define-pipeline.ts';
import { EMBEDDING_MODELS } from '../shared/contract-kit/embedding-models.ts';
import { ingestion } from './ingestion/contract.ts';
import { modelSearch, type Trial } from './model-search/contract.ts';

const ETA = 3;
const ROUNDS_MAX = 5;
/** Of a round: chance alone must not leave one. */
const KEPT_MIN = 2;

export const tuneParams = z.strictObject({
  model: z.enum(EMBEDDING_MODELS),
  /** Sets of parameters in the first round. */
  trials: z.int().min(2).max(500).default(18),
  rounds: z.int().min(1).max(ROUNDS_MAX).default(3),
  /** Trials at work at once. */
  parallel: z.int().min(1).max(64).default(2),
  holdout: z.number().min(0.01).max(0.5).default(0.1),
  k: z.int().min(1).max(1000).default(10),
  seed: z.int().default(1),
});
type TuneParams = z.output<typeof tuneParams>;

const of = ({ params }: StepContext): TuneParams => params as TuneParams;

const datasetOf = (context: StepContext): string => {
  const { dataset } = context.output('compact', ingestion);
  if (dataset === undefined) throw new AppError('DATASET_NOT_FOUND', { details: { step: 'compact' } });
  return dataset.version;
};

/** Best first; of equal ones the earlier, so that the order never depends on who was faster. */
function byAccuracy(trials: readonly (Trial | undefined)[]): Trial[] {
  const made = trials.filter((trial): trial is Trial => trial !== undefined);
  return made.toSorted((a, b) => b.ndcg - a.ndcg);
}

const trialsOf = (context: StepContext, group: string): (Trial | undefined)[] =>
  context.outputs(group, modelSearch).map((output) => output?.trial);

/** What a round tries: numbers are draws from the space. */
function setsOf(context: StepContext, round: number): (number | Trial['params'])[] {
  const { trials } = of(context);
  if (round === 0) return Array.from({ length: trials }, (_, n) => n);
  const before = byAccuracy(trialsOf(context, 'trials'));
  return before.slice(0, Math.max(KEPT_MIN, Math.ceil(before.length / ETA))).map(({ params }) => params);
}

const countAll = ({ rounds: count, trials }: TuneParams): number => {
  let [all, left] = [0, trials];
  for (let round = 0; round < count; round++, left = Math.max(KEPT_MIN, Math.ceil(left / ETA))) all += left;
  return all;
};

export const tune = definePipeline({
  name: 'tune',
  title: 'Parameters of a model, searched on a validation part; trainings that ask for tuned ones take them.',
  params: tuneParams,
  parallel: (params) => (params as TuneParams).parallel,
  steps: {
    compact: step(ingestion, [], ({ asOf }) => ({ compact: { asOf } })),
    search: rounds({
      after: ['compact'],
      max: ROUNDS_MAX + 1,
      next: (context, round) => {
        const { holdout, k, model, rounds: count, seed } = of(context);
        if (round === count) return undefined;
        const budget = ETA ** (round + 1 - count);
        const dataset = datasetOf(context);
        return {
          trials: fanOut(modelSearch, {
            over: () => setsOf(context, round),
            // Parameters that diverge or do not fit the memory cost their trial, not the search.
            optional: true,
            input: (_, params) => ({ try: { dataset, model, params, budget, holdout, k, seed } }),
          }),
        };
      },
    }),
    choose: step(modelSearch, ['compact', 'search'], (context) => {
      const { model, seed } = of(context);
      const trials = byAccuracy(trialsOf(context, 'search/trials'));
      return { choose: { dataset: datasetOf(context), model, seed, trials, tried: countAll(of(context)) } };
    }),
  },
});
