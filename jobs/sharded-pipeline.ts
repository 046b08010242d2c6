/**
 * Owns the pipeline `refresh-sharded`: embeddings by blocks over all workers, then candidates, audit and publish as in `refresh`. Of iALS, an epoch is one round:
 * all blocks of people against the items as they are, then all blocks of items against those people. Of item2vec, a round is as many sweeps as there are blocks of
 * words: strata of one sweep share no word and are learned beside each other.
 */
import { z } from 'zod';
import { AppError } from '../shared/errors.ts';
import { biasAudit } from './bias-audit/contract.ts';
import { candidateGeneration } from './candidate-generation/contract.ts';
import { definePipeline, fanOut, type Nodes, rounds, type StepContext, step } from './define-pipeline.ts';
import { ingestion } from './ingestion/contract.ts';
import { pipeline } from './pipeline/contract.ts';
import { SHARDED_MODELS, shardedTraining } from './sharded-training/contract.ts';

const ROUNDS_MAX = 500;

export const shardedParams = z.strictObject({
  model: z.enum(SHARDED_MODELS).default('ials'),
  /** Parameters of the model. */
  modelParams: z.record(z.string(), z.unknown()).default({}),
  /** Blocks of each side: at least as many as there are workers. Of item2vec at most 16. */
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

/** An epoch of iALS. */
function solves(context: StepContext, epoch: number): Nodes | undefined {
  const { blocks, epochs: count, version: cut } = cutOf(context);
  if (epoch === count) return undefined;
  const before = epoch === 0 ? undefined : { users: versionsOf(context, 'users'), items: versionsOf(context, 'items') };
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
}

const sweepName = (sweep: number): string => `sweep-${sweep}`;
const lastSweep = (context: StepContext): string => sweepName(cutOf(context).strata!.blocks - 1);

/** A round of item2vec. */
function sweeps(context: StepContext, round: number): Nodes | undefined {
  const { strata, version: cut } = cutOf(context);
  const { blocks, rounds: count } = strata!;
  if (round === count) return undefined;
  const earlier = round === 0 ? [] : versionsOf(context, lastSweep(context));
  const nodes = range(blocks).map((sweep) => {
    const previous = sweepName(sweep - 1);
    const group = fanOut(shardedTraining, {
      after: sweep === 0 ? [] : [previous],
      over: () => range(blocks),
      input: (now, block) => ({
        learn: { cut, round, sweep, block, before: sweep === 0 ? earlier : versionsOf(now, previous) },
      }),
    });
    return [sweepName(sweep), group] as const;
  });
  return Object.fromEntries(nodes);
}

const epochs = rounds({
  after: ['cut'],
  max: ROUNDS_MAX,
  next: (context, round) => (cutOf(context).strata === undefined ? solves : sweeps)(context, round),
});

export const refreshSharded = definePipeline({
  name: 'refresh-sharded',
  title: 'Embeddings trained in blocks over all workers, candidates, audit, publish.',
  params: shardedParams,
  parallel: (params) => (params as z.output<typeof shardedParams>).parallel,
  steps: {
    compact: step(ingestion, [], ({ asOf }) => ({ compact: { asOf } })),
    cut: step(shardedTraining, ['compact'], (context) => {
      const { blocks, model, modelParams, seed } = of(context);
      return { cut: { dataset: datasetOf(context), model, params: modelParams, blocks, seed } };
    }),
    epochs,
    embeddings: step(shardedTraining, ['cut', 'epochs'], (context) => {
      const { strata, version: cut } = cutOf(context);
      if (strata !== undefined) return { join: { cut, strata: versionsOf(context, `epochs/${lastSweep(context)}`) } };
      return { join: { cut, users: versionsOf(context, 'epochs/users'), items: versionsOf(context, 'epochs/items') } };
    }),
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
