/**
 * Owns the pipeline `refresh-sharded`: embeddings by blocks of rows over all workers, then candidates, audit and publish as in `refresh`. An epoch is one round:
 * all blocks of people against the items as they are, then all blocks of items against those people.
 */
import { z } from 'zod';
import { AppError } from '../shared/errors.ts';
import { biasAudit } from './bias-audit/contract.ts';
import { candidateGeneration } from './candidate-generation/contract.ts';
import { definePipeline, fanOut, rounds, type StepContext, step } from './define-pipeline.ts';
import { ingestion } from './ingestion/contract.ts';
import { pipeline } from './pipeline/contract.ts';
import { shardedTraining } from './sharded-training/contract.ts';

const EPOCHS_MAX = 400;

export const shardedParams = z.strictObject({
  /** Parameters of `ials`. */
  modelParams: z.record(z.string(), z.unknown()).default({}),
  /** Blocks of each side: at least as many as there are workers. */
  blocks: z.int().min(1).max(256).default(4),
  /** Blocks at work at once. */
  parallel: z.int().min(1).max(256).default(16),
  candidates: z.int().min(1).max(500).default(50),
  attributes: z.array(z.string()).min(1).max(10).default(['gender', 'ageGroup']),
  seed: z.int().default(1),
  /** `candidate`: what it makes goes live only when somebody promotes it. */
  channel: z.enum(['live', 'candidate']).default('live'),
});
const of = ({ params }: StepContext): z.output<typeof shardedParams> => params as z.output<typeof shardedParams>;

const datasetOf = (context: StepContext): string => {
  const { dataset } = context.output('compact', ingestion);
  if (dataset === undefined) throw new AppError('DATASET_NOT_FOUND', { details: { step: 'compact' } });
  return dataset.version;
};
const versionsOf = (context: StepContext, group: string): string[] =>
  context.outputs(group, shardedTraining).map((output) => output!.version);
const range = (count: number): number[] => Array.from({ length: count }, (_, n) => n);
const cutOf = (context: StepContext) => context.output('cut', shardedTraining);

const epochs = rounds({
  after: ['cut'],
  max: EPOCHS_MAX,
  next: (context, epoch) => {
    const { blocks, epochs: count, version: cut } = cutOf(context);
    if (epoch === count) return undefined;
    const before =
      epoch === 0 ? undefined : { users: versionsOf(context, 'users'), items: versionsOf(context, 'items') };
    return {
      users: fanOut(shardedTraining, {
        over: () => range(blocks!.users),
        input: (_, block) => ({
          solve: {
            cut,
            side: 'users' as const,
            block,
            others: before?.items ?? [],
            warm: before?.users[block] ?? null,
          },
        }),
      }),
      items: fanOut(shardedTraining, {
        after: ['users'],
        over: () => range(blocks!.items),
        input: (now, block) => ({
          solve: {
            cut,
            side: 'items' as const,
            block,
            others: versionsOf(now, 'users'),
            warm: before?.items[block] ?? null,
          },
        }),
      }),
    };
  },
});

export const refreshSharded = definePipeline({
  name: 'refresh-sharded',
  title: 'Embeddings trained in blocks over all workers, candidates, audit, publish.',
  params: shardedParams,
  parallel: (params) => (params as z.output<typeof shardedParams>).parallel,
  steps: {
    compact: step(ingestion, [], ({ asOf }) => ({ compact: { asOf } })),
    cut: step(shardedTraining, ['compact'], (context) => {
      const { blocks, modelParams, seed } = of(context);
      return { cut: { dataset: datasetOf(context), params: modelParams, blocks, seed } };
    }),
    epochs,
    embeddings: step(shardedTraining, ['cut', 'epochs'], (context) => ({
      join: {
        cut: cutOf(context).version,
        users: versionsOf(context, 'epochs/users'),
        items: versionsOf(context, 'epochs/items'),
      },
    })),
    candidates: step(candidateGeneration, ['compact', 'embeddings'], (context) => ({
      dataset: datasetOf(context),
      embeddings: context.output('embeddings', shardedTraining).version,
      k: of(context).candidates,
    })),
    audit: step(biasAudit, ['candidates'], (context) => ({
      dataset: datasetOf(context),
      candidates: context.output('candidates', candidateGeneration).version,
      attributes: of(context).attributes,
      seed: of(context).seed,
    })),
    publish: step(pipeline, ['audit'], (context) => ({
      publish: {
        parts: {
          dataset: datasetOf(context),
          embeddings: context.output('embeddings', shardedTraining).version,
          candidates: context.output('candidates', candidateGeneration).version,
          audit: context.output('audit', biasAudit).version,
        },
        asOf: context.asOf,
        channel: of(context).channel,
      },
    })),
  },
});
