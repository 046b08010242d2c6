/** Owns the list of models that are trained on whole rows of users, by name. */
import { autoencoderModel } from './autoencoder.ts';
import type { DenseModel, DenseModelName } from './dense-definition.ts';
import { protoMfModel } from './proto-mf.ts';
import { sequenceModel } from './sequence.ts';

const DENSE_MODELS = {
  autoencoder: autoencoderModel,
  'proto-mf': protoMfModel,
  sequence: sequenceModel,
} satisfies Readonly<Record<DenseModelName, unknown>>;

export function denseModel(name: DenseModelName): DenseModel {
  return DENSE_MODELS[name];
}
