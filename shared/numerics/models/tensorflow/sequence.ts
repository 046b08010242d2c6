/**
 * Owns the sequence model over multimodal activity: a small Transformer reads a person's last activities (which item, how strong, how long
 * after the one before, at what place) and gives the person's vector; its product with the items' vectors is the score. People are embedded
 * from their activity alone, so vectors can be made apart from training and whenever something happens (after Kang and McAuley, "Self-Attentive
 * Sequential Recommendation", ICDM 2018, and PinnerFormer, KDD 2022: what follows is asked for as a whole, not item by item).
 */
import type { Tensor2D, Tensor3D } from '@tensorflow/tfjs';
import { z } from 'zod';
import type { FitContext, FittedModel, TrainInput } from '../../types.ts';
import { GAP_BUCKETS, VALUE_BUCKETS } from './dense-batches.ts';
import type { DenseModel, DenseTensors } from './dense-definition.ts';
import { fitDense } from './dense-fit.ts';
import { denseTraining } from './dense-params.ts';
import type { TensorFlow } from './engine.ts';
import { multiply } from './two-tower-loss.ts';

export const sequenceParams = z
  .strictObject({
    dimensions: z.int().min(4).max(256).default(64),
    heads: z.int().min(1).max(8).default(2),
    blocks: z.int().min(1).max(4).default(1),
    /** Activities that are read, the last ones. */
    length: z.int().min(2).max(512).default(48),
    /** What training asks for: the activities after a drawn moment, or a drawn part of all others. */
    target: z.enum(['future', 'others']).default('others'),
    /** `others`: share that is not shown and asked for. */
    dropout: z.number().min(0.05).max(0.95).default(0.5),
    ...denseTraining,
    epochs: denseTraining.epochs.default(30),
    batchSize: denseTraining.batchSize.default(128),
    learningRate: denseTraining.learningRate.default(0.01),
    weightDecay: denseTraining.weightDecay.default(3),
    patience: denseTraining.patience.default(6),
  })
  .refine(({ dimensions, heads }) => dimensions % heads === 0, {
    message: 'must be a multiple of heads',
    path: ['dimensions'],
  })
  .readonly();

export type SequenceParams = z.output<typeof sequenceParams>;

/** What `--tune` tries. */
export const SEQUENCE_CANDIDATES: readonly z.input<typeof sequenceParams>[] = [
  { target: 'future' },
  { dropout: 0.3 },
  { dimensions: 96 },
  { blocks: 2 },
];

export function fitSequence(input: TrainInput, params: SequenceParams, context: FitContext): Promise<FittedModel> {
  return fitDense('sequence', input, params, context);
}

const BLOCK_PARTS = ['query', 'key', 'value', 'out', 'up', 'down'] as const;
/** Added to the logits of places where there is nothing. */
const MASKED = -1e9;

export const sequenceModel: DenseModel<SequenceParams> = {
  name: 'sequence',
  tables: ({ items }, { blocks, dimensions, length }, draw) => {
    const scale = 1 / Math.sqrt(dimensions);
    const tables = {
      items: draw('items', items, dimensions, scale, 'items'),
      itemBias: draw('itemBias', items, 1, 0, 'items'),
      places: draw('places', length, dimensions, 0.1 * scale),
      values: draw('values', VALUE_BUCKETS, dimensions, 0.1 * scale),
      gaps: draw('gaps', GAP_BUCKETS, dimensions, 0.1 * scale),
    };
    const own = Array.from({ length: blocks }, (_, block) =>
      BLOCK_PARTS.map((part) => [`${part}${block}`, draw(`${part}${block}`, dimensions, dimensions, scale)] as const),
    );
    return { ...tables, ...Object.fromEntries(own.flat()) };
  },
  shape: ({ dropout, length, target }) => ({
    dropout,
    input: false,
    findSeen: false,
    noise: 0,
    sequence: { length, future: target === 'future' },
  }),
  users: (tf, tensors, batch, params) => {
    const { dimensions } = params;
    const { gaps, items, length, present, values } = batch.sequence!;
    const users = batch.users.length;
    const look = (table: string, ids: Int32Array): Tensor3D =>
      tf.gather(tensors[table]!, tf.tensor1d(ids, 'int32')).reshape([users, length, dimensions]);
    const tokens = look('items', items).add(look('values', values)).add(look('gaps', gaps)).add(tensors['places']!);
    const mask = present.expandDims<Tensor3D>(2);
    let rows = tokens.mul<Tensor3D>(mask);
    for (let block = 0; block < params.blocks; block++) rows = attend(tf, tensors, rows, present, block, params);
    // The mean of what was read: no single activity speaks for a person.
    const counts = present.sum(1, true).maximum(1);
    const mean = rows.mul(mask).sum(1).div<Tensor2D>(counts);
    return tf.concat<Tensor2D>([mean, tf.ones([users, 1])], 1);
  },
  items: (tf, tensors) => tf.concat([tensors['items']!, tensors['itemBias']!], 1),
};

/** One block: attention of every activity to every other, then a layer of its own; both added to what came in. */
function attend(
  tf: TensorFlow,
  tensors: DenseTensors,
  rows: Tensor3D,
  present: Tensor2D,
  block: number,
  { dimensions, heads }: SequenceParams,
): Tensor3D {
  const [users, length] = rows.shape;
  const width = dimensions / heads;
  const product = (from: Tensor3D, part: string): Tensor3D =>
    multiply(tf, from.reshape<Tensor2D>([users * length, dimensions]), tensors[`${part}${block}`]!).reshape([
      users,
      length,
      dimensions,
    ]);
  const split = (from: Tensor3D) => from.reshape([users, length, heads, width]).transpose([0, 2, 1, 3]);
  const normal = normalise(rows);
  const logits = tf.matMul(split(product(normal, 'query')), split(product(normal, 'key')), false, true);
  const mask = present.sub(1).mul(-MASKED).reshape([users, 1, 1, length]);
  const weights = tf.softmax(logits.div(Math.sqrt(width)).add(mask));
  const mixed = tf
    .matMul(weights, split(product(normal, 'value')))
    .transpose([0, 2, 1, 3])
    .reshape([users, length, dimensions]);
  const attended = rows.add<Tensor3D>(product(mixed as Tensor3D, 'out'));
  return attended.add(product(tf.relu(product(normalise(attended), 'up')), 'down'));
}

function normalise(rows: Tensor3D): Tensor3D {
  const centred = rows.sub(rows.mean(2, true));
  return centred.div(centred.square().mean(2, true).add(1e-5).sqrt());
}
