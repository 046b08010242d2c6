/**
 * Owns prototype-based matrix factorisation (Melchiorre et al., "ProtoMF: Prototype-based Matrix Factorization for Effective and Explainable
 * Recommendations", RecSys 2022). A person is described by 1 + cosine to each user prototype, an item by 1 + cosine to each item prototype:
 *   `U`   score = person's similarities . item's weights of them
 *   `I`   score = person's weights . item's similarities
 *   `UI`  both, summed; weights are linear in the same vectors
 *   `none` plain matrix factorisation with the same loss and training, to compare with
 * Prototype filtering keeps each row's `nearest` prototypes, so that few words explain a score. The uniformity regulariser
 * log mean exp(-2 |p_i - p_j|^2) on the unit sphere spreads prototypes over all tastes, not only the popular ones.
 */
import type { Scalar, Tensor, Tensor2D } from '@tensorflow/tfjs';
import { z } from 'zod';
import type { DenseRows, FitContext, TrainInput } from '../../types.ts';
import { type DenseModel, type DenseTensors, unitRows } from './dense-definition.ts';
import { type FittedDense, fitDense } from './dense-fit.ts';
import { denseTraining } from './dense-params.ts';
import type { TensorFlow } from './engine.ts';
import { multiply, product } from './two-tower-loss.ts';

export const protoMfParams = z
  .strictObject({
    variant: z.enum(['U', 'I', 'UI', 'none']).default('I'),
    dimensions: z.int().min(2).max(512).default(128),
    /** User prototypes and item prototypes, 2..512 each. */
    prototypes: z.int().min(2).max(512).default(128),
    /** Prototypes that each row keeps; 0: all. Which ones jumps from epoch to epoch: a mean of epochs (averaging) does not go with it. */
    nearest: z.int().min(0).max(512).default(0),
    /**
     * Length at which a row counts half: a cosine knows no doubt, so rows that little is known of, which decay keeps short, are drawn towards
     * none of the prototypes. 0: the plain cosine.
     */
    softness: z.number().min(0).max(100).default(0.7),
    /** Weight of the uniformity of the prototypes. Much of it: prototypes that lie alike say the same twice, and what they span is learned badly. */
    uniformity: z.number().min(0).max(100).default(1),
    /** Weight of the pull of each prototype to its nearest person or item of a step: none stays unused. */
    inclusion: z.number().min(0).max(100).default(0.01),
    /**
     * What little-known items are lifted by when lists are made: lift * ln(1 + mean / people), with the mean of the items' people. It leaves the
     * order of the well-known nearly as it is: so the tail costs the least accuracy.
     */
    lift: z.number().min(0).max(10).default(0.25),
    ...denseTraining,
    epochs: denseTraining.epochs.default(60),
    batchSize: denseTraining.batchSize.default(256),
    learningRate: denseTraining.learningRate.default(0.01),
    weightDecay: denseTraining.weightDecay.default(1.5),
    averaging: denseTraining.averaging.default(0.8),
    patience: denseTraining.patience.default(10),
  })
  .readonly();

export type ProtoMfParams = z.output<typeof protoMfParams>;

/** What `--tune` tries. */
export const PROTO_MF_CANDIDATES: readonly z.input<typeof protoMfParams>[] = [
  { softness: 0.4 },
  { softness: 1 },
  { variant: 'UI', weightDecay: 3 },
  { nearest: 64, averaging: 0 },
  { weightDecay: 2 },
];

export function fitProtoMf(input: TrainInput, params: ProtoMfParams, context: FitContext): Promise<FittedDense> {
  return fitDense(protoMfModel, input, params, context);
}

/** 1 + cosine of each row to each prototype, softened; 0 beyond the row's nearest. */
function similarities(
  tf: TensorFlow,
  rows: Tensor2D,
  prototypes: Tensor2D,
  { nearest, softness }: ProtoMfParams,
): Tensor2D {
  const soft = rows.div<Tensor2D>(
    rows
      .square()
      .sum(1, true)
      .add(softness ** 2 + 1e-12)
      .sqrt(),
  );
  const near = product(tf, soft, unitRows(prototypes)).add<Tensor2D>(1);
  const count = prototypes.shape[0];
  if (nearest === 0 || nearest >= count) return near;
  return keepNearest(tf, near, nearest);
}

/** Which prototypes are kept is not learned: the gradient passes through those that are. */
function keepNearest(tf: TensorFlow, near: Tensor2D, nearest: number): Tensor2D {
  const op = tf.customGrad((...args: unknown[]) => {
    const [rows, save] = args as [Tensor2D, (tensors: Tensor[]) => void];
    const least = tf.topk(rows, nearest).values.slice([0, nearest - 1], [-1, 1]);
    const kept = rows.greaterEqual(least).cast('float32');
    save([kept]);
    return { value: rows.mul(kept), gradFunc: (dy: Tensor, saved: Tensor[]): Tensor => dy.mul(saved[0]!) };
  });
  return op(near) as Tensor2D;
}

const usesUsers = ({ variant }: ProtoMfParams) => variant === 'U' || variant === 'UI';
const usesItems = ({ variant }: ProtoMfParams) => variant === 'I' || variant === 'UI';

/** log of the mean over pairs i != j of exp(-2 |p_i - p_j|^2); with unit vectors |p_i - p_j|^2 = 2 - 2 cos. */
export function uniformity(tf: TensorFlow, prototypes: Tensor2D): Scalar {
  const count = prototypes.shape[0];
  const unit = unitRows(prototypes);
  const all = product(tf, unit, unit).mul(4).sub(4).exp().sum();
  // Each of the pairs i = i is exp(0).
  return all
    .sub(count)
    .div(count * (count - 1))
    .add(1e-12)
    .log() as Scalar;
}

/** In place. An item's last column is its bias, which everybody has at 1. */
export function liftRare({ data, rows, width }: DenseRows, counts: Int32Array, lift: number): void {
  const mean = counts.reduce((sum, count) => sum + count, 0) / rows;
  for (let item = 0; item < rows; item++)
    data[(item + 1) * width - 1]! += lift * Math.log1p(mean / Math.max(1, counts[item]!));
}

export const protoMfModel: DenseModel<ProtoMfParams> = {
  name: 'proto-mf',
  tables: ({ items, users }, params, draw) => {
    const { dimensions, prototypes, variant } = params;
    const scale = 1 / Math.sqrt(dimensions);
    const wide = 1 / Math.sqrt(prototypes);
    const vectors = (of: 'users' | 'items', rows: number) => draw(of, rows, dimensions, scale, of);
    const bias = { itemBias: draw('itemBias', items, 1, 0, 'items') };
    if (variant === 'none') return { users: vectors('users', users), items: vectors('items', items), ...bias };
    return {
      ...bias,
      users: variant === 'I' ? draw('users', users, prototypes, wide, 'users') : vectors('users', users),
      items: variant === 'U' ? draw('items', items, prototypes, wide, 'items') : vectors('items', items),
      ...(usesUsers(params) ? { userPrototypes: draw('userPrototypes', prototypes, dimensions, scale) } : {}),
      ...(usesItems(params) ? { itemPrototypes: draw('itemPrototypes', prototypes, dimensions, scale) } : {}),
      ...(variant === 'UI'
        ? {
            itemWeights: draw('itemWeights', dimensions, prototypes, wide),
            userWeights: draw('userWeights', dimensions, prototypes, wide),
          }
        : {}),
    };
  },
  shape: () => ({ dropout: 0, input: false, findSeen: true, noise: 0 }),
  users: (tf, tensors, batch, params) => {
    const rows = tensors['users']!;
    const ones: Tensor2D = tf.ones([batch.users.length, 1]);
    const own = (): Tensor2D => similarities(tf, rows, tensors['userPrototypes']!, params);
    const parts = {
      none: () => [rows],
      U: () => [own()],
      I: () => [rows],
      UI: () => [own(), multiply(tf, rows, tensors['userWeights']!)],
    }[params.variant]();
    return tf.concat([...parts, ones], 1);
  },
  items: (tf, tensors, params) => {
    const rows = tensors['items']!;
    const own = (): Tensor2D => similarities(tf, rows, tensors['itemPrototypes']!, params);
    const parts = {
      none: () => [rows],
      U: () => [rows],
      I: () => [own()],
      UI: () => [multiply(tf, rows, tensors['itemWeights']!), own()],
    }[params.variant]();
    return tf.concat([...parts, tensors['itemBias']!], 1);
  },
  serve: (items, counts, params) => {
    if (params.lift > 0) liftRare(items, counts, params.lift);
  },
  penalty: (tf, tensors, _, params) => {
    const terms = [
      ...(usesUsers(params) ? penalties(tf, tensors, 'users', params) : []),
      ...(usesItems(params) ? penalties(tf, tensors, 'items', params) : []),
    ];
    return terms.length === 0 ? undefined : terms.reduce((sum, term) => sum.add<Scalar>(term));
  },
};

function penalties(tf: TensorFlow, tensors: DenseTensors, of: 'users' | 'items', params: ProtoMfParams): Scalar[] {
  const prototypes = tensors[of === 'users' ? 'userPrototypes' : 'itemPrototypes']!;
  const near = product(tf, unitRows(tensors[of]!), unitRows(prototypes));
  return [
    ...(params.uniformity === 0 ? [] : [uniformity(tf, prototypes).mul<Scalar>(params.uniformity)]),
    ...(params.inclusion === 0 ? [] : [near.max(0).mean().mul<Scalar>(-params.inclusion)]),
  ];
}
