/**
 * Owns the autoencoder over unlabelled logs: a person's row is corrupted by dropout, squeezed through a hidden layer, and asked for whole
 * again, with a multinomial likelihood; `variational` draws the code and holds it near a normal by an annealed divergence
 * (Liang et al., "Variational Autoencoders for Collaborative Filtering", WWW 2018: Mult-DAE and Mult-VAE). It serves people it never saw.
 */
import { z } from 'zod';
import type { FitContext, FittedModel, TrainInput } from '../../types.ts';
import { fitDense } from './dense-fit.ts';
import type { DenseModel, DenseTensors } from './dense-definition.ts';
import { denseTraining } from './dense-params.ts';
import type { TensorFlow } from './engine.ts';
import { multiply } from './two-tower-loss.ts';
import type { Tensor2D } from '@tensorflow/tfjs';

export const autoencoderParams = z
  .strictObject({
    /** Width of the code, 2..1024. */
    code: z.int().min(2).max(1024).default(100),
    /** Width of a layer before the code; 0: none. */
    hidden: z.int().min(0).max(2048).default(0),
    /** Share of a person's items that training hides. */
    dropout: z.number().min(0).max(0.95).default(0.5),
    variational: z.boolean().default(false),
    /** Weight of the divergence at the end of its annealing, and steps until then. */
    divergence: z.number().min(0).max(10).default(0.02),
    annealSteps: z.int().min(1).max(1_000_000).default(400),
    ...denseTraining,
    epochs: denseTraining.epochs.default(60),
    batchSize: denseTraining.batchSize.default(128),
    learningRate: denseTraining.learningRate.default(0.006),
    weightDecay: denseTraining.weightDecay.default(3),
    patience: denseTraining.patience.default(10),
  })
  .readonly();

export type AutoencoderParams = z.output<typeof autoencoderParams>;

/** What `--tune` tries. */
export const AUTOENCODER_CANDIDATES: readonly z.input<typeof autoencoderParams>[] = [
  { variational: true },
  { weightDecay: 1 },
  { dropout: 0.7 },
  { code: 200 },
];

export function fitAutoencoder(
  input: TrainInput,
  params: AutoencoderParams,
  context: FitContext,
): Promise<FittedModel> {
  return fitDense(autoencoderModel, input, params, context);
}

/** The code's mean, and the logarithm of its variance where it is drawn. */
function encode(
  tf: TensorFlow,
  tensors: DenseTensors,
  input: Tensor2D,
  { code, hidden, variational }: AutoencoderParams,
): { readonly mean: Tensor2D; readonly logVariance?: Tensor2D } {
  const layer = hidden === 0 ? input : tf.tanh(multiply(tf, input, tensors['up']!).add(tensors['upBias']!));
  const out = multiply(tf, layer as Tensor2D, tensors['encoder']!).add<Tensor2D>(tensors['encoderBias']!);
  if (!variational) return { mean: tf.tanh(out) };
  return { mean: out.slice([0, 0], [-1, code]), logVariance: out.slice([0, code], [-1, code]) };
}

export const autoencoderModel: DenseModel<AutoencoderParams> = {
  name: 'autoencoder',
  tables: ({ items }, { code, hidden, variational }, draw) => {
    const outputs = variational ? 2 * code : code;
    const inputs = hidden === 0 ? items : hidden;
    return {
      ...(hidden === 0
        ? {}
        : { up: draw('up', items, hidden, Math.sqrt(1 / hidden), 'items'), upBias: draw('upBias', 1, hidden, 0) }),
      encoder: draw('encoder', inputs, outputs, Math.sqrt(1 / code), hidden === 0 ? 'items' : undefined),
      encoderBias: draw('encoderBias', 1, outputs, 0),
      decoder: draw('decoder', items, code, Math.sqrt(1 / code), 'items'),
      decoderBias: draw('decoderBias', items, 1, 0, 'items'),
    };
  },
  shape: ({ code, dropout, variational }) => ({ dropout, input: true, findSeen: true, noise: variational ? code : 0 }),
  users: (tf, tensors, batch, params) => {
    const { logVariance, mean } = encode(tf, tensors, batch.input!, params);
    const drawn =
      batch.noise === undefined || logVariance === undefined
        ? mean
        : mean.add<Tensor2D>(logVariance.mul(0.5).exp().mul(batch.noise));
    return tf.concat<Tensor2D>([drawn, tf.ones([batch.users.length, 1])], 1);
  },
  items: (tf, tensors) => tf.concat([tensors['decoder']!, tensors['decoderBias']!], 1),
  penalty: (tf, tensors, batch, params) => {
    if (!params.variational || params.divergence === 0) return undefined;
    const { logVariance, mean } = encode(tf, tensors, batch.input!, params);
    const annealed = params.divergence * Math.min(1, batch.step / params.annealSteps);
    const divergence = logVariance!.add(1).sub(mean.square()).sub(logVariance!.exp()).sum().mul(-0.5);
    return divergence.mul(annealed / batch.users.length);
  },
};
