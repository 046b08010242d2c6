/**
 * Owns the sequence model over multimodal activity. A person is two things: a taste, the bag of everything they did (as the autoencoder
 * squeezes it), and what they do now: a small Transformer reads the last activities (which item, how strong, how long after the one before, at
 * what place), the taste and the last activity ask, and all of them answer through a gate that starts shut. The product with the items'
 * vectors is the score. People are embedded from their activity alone, so vectors can be made apart from training and whenever something
 * happens (after Kang and McAuley, "Self-Attentive Sequential Recommendation", ICDM 2018, and PinnerFormer, KDD 2022: what follows is asked
 * for as a whole, not item by item).
 */
import type { Tensor, Tensor2D, Tensor3D, Tensor4D } from '@tensorflow/tfjs';
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
    dimensions: z.int().min(4).max(256).default(96),
    heads: z.int().min(1).max(8).default(2),
    blocks: z.int().min(1).max(4).default(1),
    /** Activities that are read, the last ones. */
    length: z.int().min(2).max(512).default(16),
    /** What training asks for: the activities after a drawn moment, or a drawn part of all others. */
    target: z.enum(['future', 'others']).default('others'),
    /** `others`: share that is not shown and asked for. */
    dropout: z.number().min(0.05).max(0.95).default(0.5),
    ...denseTraining,
    epochs: denseTraining.epochs.default(60),
    batchSize: denseTraining.batchSize.default(256),
    learningRate: denseTraining.learningRate.default(0.006),
    weightDecay: denseTraining.weightDecay.default(3),
    patience: denseTraining.patience.default(10),
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
  { weightDecay: 1.5 },
  { length: 48 },
  { blocks: 2 },
];

export function fitSequence(input: TrainInput, params: SequenceParams, context: FitContext): Promise<FittedModel> {
  return fitDense(sequenceModel, input, params, context);
}

const BLOCK_PARTS = ['query', 'key', 'value', 'out', 'up', 'down'] as const;
/** Added to the logits of places where there is nothing. */
const MASKED = -1e9;

export const sequenceModel: DenseModel<SequenceParams> = {
  name: 'sequence',
  tables: ({ items }, { blocks, dimensions, length }, draw) => {
    const scale = 1 / Math.sqrt(dimensions);
    const own = Array.from({ length: blocks }, (_, block) =>
      BLOCK_PARTS.map((part) => {
        const name = `${part}${block}`;
        return [name, draw(name, dimensions, dimensions, scale, 'layer')] as const;
      }),
    );
    return {
      items: draw('items', items, dimensions, scale, 'items'),
      itemBias: draw('itemBias', items, 1, 0, 'items'),
      tokens: draw('tokens', items, dimensions, scale, 'items'),
      // Shut at first: what activities say now is let in as far as it helps.
      gate: draw('gate', 1, dimensions, 0, 'layer'),
      tasteBias: draw('tasteBias', 1, dimensions, 0, 'layer'),
      places: draw('places', length, dimensions, 0.1 * scale, 'layer'),
      values: draw('values', VALUE_BUCKETS, dimensions, 0.1 * scale, 'layer'),
      gaps: draw('gaps', GAP_BUCKETS, dimensions, 0.1 * scale, 'layer'),
      ...Object.fromEntries(own.flat()),
    };
  },
  shape: ({ dropout, length, target }) => ({
    dropout,
    input: true,
    findSeen: target === 'others',
    noise: 0,
    sequence: { length, future: target === 'future' },
  }),
  users: (tf, tensors, batch, params) => {
    const { blocks, dimensions } = params;
    const { gaps, items, length, present, values } = batch.sequence!;
    const users = batch.users.length;
    const taste = tf.tanh(multiply(tf, batch.input!, tensors['tokens']!).add<Tensor2D>(tensors['tasteBias']!));
    const look = (table: string, ids: Int32Array): Tensor3D =>
      tf.gather(tensors[table]!, tf.tensor1d(ids, 'int32')).reshape([users, length, dimensions]);
    const read = look('tokens', items).add(look('values', values)).add(look('gaps', gaps)).add(tensors['places']!);
    let rows = read.mul<Tensor3D>(present.expandDims<Tensor3D>(2));
    for (let block = 0; block < blocks - 1; block++) rows = everyPlace(tf, tensors, rows, present, block, params);
    const now = lastPlace(tf, tensors, rows, taste, present, params);
    return tf.concat<Tensor2D>([taste.add(now.mul(tensors['gate']!)), tf.ones([users, 1])], 1);
  },
  items: (tf, tensors) => tf.concat([tensors['items']!, tensors['itemBias']!], 1),
};

/** Rows of places times a layer. */
function through(tf: TensorFlow, tensors: DenseTensors, rows: Tensor3D, part: string): Tensor3D {
  const [users, length, width] = rows.shape;
  return multiply(tf, rows.reshape<Tensor2D>([users * length, width]), tensors[part]!).reshape([users, length, width]);
}

/** Attention of every activity to every other, then a layer of its own; both added to what came in. */
function everyPlace(
  tf: TensorFlow,
  tensors: DenseTensors,
  rows: Tensor3D,
  present: Tensor2D,
  block: number,
  { dimensions, heads }: SequenceParams,
): Tensor3D {
  const [users, length] = rows.shape;
  const width = dimensions / heads;
  const split = (part: string): Tensor4D =>
    through(tf, tensors, normal, `${part}${block}`).reshape([users, length, heads, width]).transpose([0, 2, 1, 3]);
  const normal = normalise(rows);
  const logits = productOfEach(tf, split('query'), split('key')).div<Tensor4D>(Math.sqrt(width));
  const mask = present.sub(1).mul(-MASKED).reshape([users, 1, 1, length]);
  const weights = tf.softmax(logits.add<Tensor4D>(mask));
  const mixed = productOfEach(tf, weights, split('value').transpose([0, 1, 3, 2]));
  const joined = mixed.transpose([0, 2, 1, 3]).reshape<Tensor3D>([users, length, dimensions]);
  const attended = rows.add<Tensor3D>(through(tf, tensors, joined, `out${block}`));
  const wide = tf.relu(through(tf, tensors, normalise(attended), `up${block}`));
  return attended.add(through(tf, tensors, wide, `down${block}`));
}

/** What the last activities say now: the taste and the last of them ask, all of them answer. Users * width. */
function lastPlace(
  tf: TensorFlow,
  tensors: DenseTensors,
  rows: Tensor3D,
  taste: Tensor2D,
  present: Tensor2D,
  { blocks, dimensions, heads }: SequenceParams,
): Tensor2D {
  const [users, length] = rows.shape;
  const [block, width] = [blocks - 1, dimensions / heads];
  const normal = normalise(rows);
  const last = rows.slice([0, length - 1, 0], [-1, 1, -1]).reshape<Tensor2D>([users, dimensions]);
  const asked = multiply(tf, normalise(taste.add<Tensor2D>(last)), tensors[`query${block}`]!);
  const split = (part: string) =>
    through(tf, tensors, normal, `${part}${block}`).reshape([users, length, heads, width]);
  const logits = split('key')
    .mul(asked.reshape([users, 1, heads, width]))
    .sum(3)
    .div(Math.sqrt(width));
  const mask = present.sub(1).mul(-MASKED).expandDims(2);
  const weights = tf
    .softmax(logits.add(mask).transpose([0, 2, 1]))
    .transpose([0, 2, 1])
    .expandDims(3);
  const mixed = split('value').mul(weights).sum(1).reshape<Tensor2D>([users, dimensions]);
  const attended = last.add<Tensor2D>(multiply(tf, mixed, tensors[`out${block}`]!));
  const wide = tf.relu(multiply(tf, normalise(attended), tensors[`up${block}`]!));
  return normalise(attended.add<Tensor2D>(multiply(tf, wide, tensors[`down${block}`]!)));
}

/** left right' of each matrix, with the transposes made by hand: see `product`. */
function productOfEach(tf: TensorFlow, left: Tensor4D, right: Tensor4D): Tensor4D {
  const op = tf.customGrad((...args: unknown[]) => {
    const [l, r, save] = args as [Tensor4D, Tensor4D, (tensors: Tensor[]) => void];
    save([l, r]);
    const gradFunc = (dy: Tensor, saved: Tensor[]): Tensor[] => [
      dy.matMul(saved[1]!),
      dy.transpose([0, 1, 3, 2]).matMul(saved[0]!),
    ];
    return { value: l.matMul(r.transpose([0, 1, 3, 2])), gradFunc };
  });
  return op(left, right) as Tensor4D;
}

function normalise<T extends Tensor2D | Tensor3D>(rows: T): T {
  const centred = rows.sub(rows.mean(-1, true));
  return centred.div(centred.square().mean(-1, true).add(1e-5).sqrt());
}
