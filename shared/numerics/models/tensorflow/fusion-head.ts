/**
 * Owns the head of the multi-branch model as TensorFlow sees it: from what is known of a person's branches to the weight of each.
 *   late       softmax(w + log mask), the same for everybody with the same mask
 *   attention  softmax(q' tanh(h_m W_m) + log mask)
 *   early      softmax(tanh(concat(mask_m h_m) U) V + log mask)
 * The mask is presence, consent and the gate. A score is `sharpness` * sum a_m z_m over a person's candidates; the loss is the cross-entropy to
 * what was held out. A person whose branches are all masked is not asked about here: the softmax would be NaN; the prior serves them.
 */
import type { Scalar, Tensor, Tensor2D, Tensor3D } from '@tensorflow/tfjs';
import type { FusionParams } from '../fusion-params.ts';
import type { DenseTables, DenseTensors, DrawTable } from './dense-definition.ts';
import type { TensorFlow } from './engine.ts';
import { multiply, shareEntropy } from './two-tower-loss.ts';

/** What is known of a branch of a person: 1, logarithms of the history and of the people behind the branch, whether its list is short. */
export const BRANCH_FEATURES = 4;
const HIDDEN = 8;
/** Added to a masked branch's logit. */
const MASKED = -1e9;

export type FusionKind = FusionParams['fusion'];

export function headTables(kind: FusionKind, branches: number, draw: DrawTable): DenseTables {
  const tables = { sharpness: draw('sharpness', 1, 1, 0), prior: draw('prior', 1, branches, 0) };
  if (kind === 'late') return tables;
  if (kind === 'early') {
    return {
      ...tables,
      up: draw('up', branches * BRANCH_FEATURES, HIDDEN, 0.3),
      down: draw('down', HIDDEN, branches, 0.3),
    };
  }
  const each = Array.from({ length: branches }, (_, m) => [
    [`W${m}`, draw(`W${m}`, BRANCH_FEATURES, HIDDEN, 0.3)] as const,
    [`q${m}`, draw(`q${m}`, HIDDEN, 1, 0.3)] as const,
  ]);
  return { ...tables, ...Object.fromEntries(each.flat()) };
}

/** People * branches; rows sum to 1. `features` is people * (branches * BRANCH_FEATURES), `mask` people * branches. */
export function branchWeights(
  tf: TensorFlow,
  kind: FusionKind,
  tensors: DenseTensors,
  features: Tensor2D,
  mask: Tensor2D,
): Tensor2D {
  const branches = mask.shape[1];
  const own = (m: number) => features.slice([0, m * BRANCH_FEATURES], [-1, BRANCH_FEATURES]);
  const logits = (): Tensor => {
    if (kind === 'late') return tensors['prior']!;
    if (kind === 'early') {
      const present = Array.from({ length: branches }, (_, m) => own(m).mul<Tensor2D>(mask.slice([0, m], [-1, 1])));
      const hidden = tf.tanh(multiply(tf, tf.concat(present, 1), tensors['up']!));
      return multiply(tf, hidden, tensors['down']!).add(tensors['prior']!);
    }
    const scores = Array.from({ length: branches }, (_, m) =>
      multiply(tf, tf.tanh(multiply(tf, own(m), tensors[`W${m}`]!)), tensors[`q${m}`]!),
    );
    return tf.concat(scores, 1).add(tensors['prior']!);
  };
  return tf.softmax(mask.sub(1).mul(-MASKED).add<Tensor2D>(logits()));
}

export interface HeadBatch {
  readonly features: Tensor2D;
  readonly mask: Tensor2D;
  /** People * candidates * branches. */
  readonly scores: Tensor3D;
  /** People * candidates: 0, or what keeps a place without a candidate out. */
  readonly offset: Tensor2D;
  /** People * candidates; rows sum to 1. */
  readonly target: Tensor2D;
}

/** Weight of the squared weights: few people teach the head, and it must not memorise them. */
const DECAY = 1e-3;

export function headLoss(tf: TensorFlow, kind: FusionKind, tensors: DenseTensors, batch: HeadBatch): Scalar {
  const weights = branchWeights(tf, kind, tensors, batch.features, batch.mask);
  const [people, , branches] = batch.scores.shape;
  const mixed = batch.scores.mul(weights.reshape([people, 1, branches])).sum(2);
  const logits = mixed.mul(tensors['sharpness']!.exp()).add<Tensor2D>(batch.offset);
  const squares = Object.entries(tensors)
    .filter(([name]) => name !== 'sharpness')
    .map(([, tensor]) => tensor.square().sum());
  return shareEntropy(tf, logits, batch.target).add(tf.addN(squares).mul(DECAY));
}
