/**
 * Owns the two towers and their loss as TensorFlow sees them: the rows of one batch go in, the loss and the
 * gradients of those rows come out.
 */
import type { Scalar, Tensor, Tensor1D, Tensor2D } from '@tensorflow/tfjs';
import type { TensorFlow } from './engine.ts';
import type { Batch } from './two-tower-batches.ts';

/** The trainable inputs of a step, all row-major. */
export interface TowerRows {
  readonly dimensions: number;
  /** Rows of the batch's distinct users. */
  readonly users: Float32Array;
  /** Rows of the batch's distinct items. */
  readonly items: Float32Array;
  readonly hidden?: { readonly up: Float32Array; readonly bias: Float32Array; readonly down: Float32Array } | undefined;
}

export interface LossAndGradients {
  /** Mean over the batch, in nats. */
  readonly loss: number;
  readonly gradients: TowerRows;
}

const NORM_FLOOR = 1e-12;

/** Rows scaled to unit length. */
export function normaliseRows(rows: Tensor2D): Tensor2D {
  return rows.div(rows.square().sum(1, true).add(NORM_FLOOR).sqrt());
}

/** The item tower: plain rows, or rows + relu(rows up + bias) down; then unit length. */
export function itemTower(rows: Tensor2D, hidden: readonly Tensor2D[]): Tensor2D {
  const [up, bias, down] = hidden;
  if (up === undefined || bias === undefined || down === undefined) return normaliseRows(rows);
  return normaliseRows(rows.add(rows.matMul(up).add(bias).relu().matMul(down)));
}

/**
 * Mean over the rows of -sum targets log softmax(logits); the sum of a row's targets is its weight. One softmax serves value and gradient.
 */
export function shareEntropy(tf: TensorFlow, logits: Tensor2D, targets: Tensor2D): Scalar {
  const rows = logits.shape[0];
  const op = tf.customGrad((...args: unknown[]) => {
    const [z, save] = args as [Tensor2D, (tensors: Tensor[]) => void];
    const top = z.sub(z.max(1, true));
    const powers = top.exp();
    const sums = powers.sum(1, true);
    const weights = targets.sum(1, true);
    save([powers.div(sums).mul(weights)]);
    const value = top.sub(sums.log()).mul(targets).sum().div(-rows);
    const gradFunc = (dy: Tensor, saved: Tensor[]): Tensor => saved[0]!.sub(targets).mul(dy.div(rows));
    return { value, gradFunc };
  });
  return op(logits) as Scalar;
}

/**
 * Mean of -log softmax(logits)[target] over the rows. One softmax serves value and gradient, where
 * TensorFlow's own chain of log, exp and gather makes five passes over the same matrix.
 */
function crossEntropy(tf: TensorFlow, logits: Tensor2D, targets: Tensor2D): Tensor {
  const rows = logits.shape[0];
  const op = tf.customGrad((...args: unknown[]) => {
    const [z, save] = args as [Tensor2D, (tensors: Tensor[]) => void];
    const shares = tf.softmax(z);
    save([shares]);
    const value = shares.mul(targets).sum(1).maximum(1e-38).log().mean().neg();
    const gradFunc = (dy: Tensor, saved: Tensor[]): Tensor => saved[0]!.sub(targets).mul(dy.div(rows));
    return { value, gradFunc };
  });
  return op(logits);
}

/**
 * left right' for row-major matrices, with the transposes made by hand in value and gradient: the WASM
 * engine multiplies a transposed operand fifteen times slower than it transposes and multiplies.
 */
export function product(tf: TensorFlow, left: Tensor2D, right: Tensor2D): Tensor2D {
  const op = tf.customGrad((...args: unknown[]) => {
    const [l, r, save] = args as [Tensor2D, Tensor2D, (tensors: Tensor[]) => void];
    save([l, r]);
    const gradFunc = (dy: Tensor, saved: Tensor[]): Tensor[] => [
      (dy as Tensor2D).matMul(saved[1] as Tensor2D),
      dy.transpose().matMul(saved[0] as Tensor2D),
    ];
    return { value: l.matMul(r.transpose()), gradFunc };
  });
  return op(left, right) as Tensor2D;
}

/** left right, by the same means. */
export function multiply(tf: TensorFlow, left: Tensor2D, right: Tensor2D): Tensor2D {
  return product(tf, left, right.transpose());
}

/** 1 at each row's target. TensorFlow's own refuses a batch with a single distinct item, which a last batch may be. */
function oneHot({ size, itemIds, itemAt }: Batch): Float32Array {
  const targets = new Float32Array(size * itemIds.length);
  for (let r = 0; r < size; r++) targets[r * itemIds.length + itemAt[r]!] = 1;
  return targets;
}

/** Loss of a batch and its gradients with respect to every row that took part. Leaves no tensor behind. */
export function lossAndGradients(tf: TensorFlow, rows: TowerRows, batch: Batch, temperature: number): LossAndGradients {
  let result: LossAndGradients | undefined;
  // Nothing is returned through tidy: it would walk every number of an array in search of tensors.
  tf.tidy(() => {
    const { dimensions } = rows;
    const inputs: Tensor2D[] = [
      tf.tensor2d(rows.users, [batch.userIds.length, dimensions]),
      tf.tensor2d(rows.items, [batch.itemIds.length, dimensions]),
    ];
    if (rows.hidden !== undefined) {
      const width = rows.hidden.bias.length;
      inputs.push(
        tf.tensor2d(rows.hidden.up, [dimensions, width]),
        tf.tensor2d(rows.hidden.bias, [1, width]),
        tf.tensor2d(rows.hidden.down, [width, dimensions]),
      );
    }
    const adjust = tf.tensor2d(batch.adjust, [batch.size, batch.itemIds.length]);
    const userAt: Tensor1D = tf.tensor1d(batch.userAt, 'int32');
    const targets = tf.tensor2d(oneHot(batch), [batch.size, batch.itemIds.length]);
    const loss = (...parts: Tensor[]): Tensor => {
      const [users, items, ...hidden] = parts as Tensor2D[];
      const user = tf.gather(normaliseRows(users!), userAt);
      const item = itemTower(items!, hidden);
      return crossEntropy(tf, product(tf, user, item).div(temperature).add<Tensor2D>(adjust), targets);
    };
    const { value, grads } = tf.valueAndGrads(loss as (...args: Tensor[]) => Tensor<never>)(inputs);
    const [users, items, up, bias, down] = grads.map((gradient) => gradient.dataSync() as Float32Array);
    result = {
      loss: (value as Tensor).dataSync()[0]!,
      gradients: {
        dimensions,
        users: users!,
        items: items!,
        hidden: up === undefined || bias === undefined || down === undefined ? undefined : { up, bias, down },
      },
    };
  });
  return result!;
}
