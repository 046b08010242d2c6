/**
 * Owns the spaces that searches draw parameters from: for each model what decides its accuracy, over the range in which defaults for unknown data
 * may lie. Nothing here knows a data set.
 */
import { randomStream, type RandomStream } from '../../random.ts';

type Dimension =
  | { readonly choice: readonly (number | string | boolean)[] }
  /** Uniform in the logarithm, rounded to three digits. */
  | { readonly log: readonly [least: number, most: number] }
  | { readonly linear: readonly [least: number, most: number] };

const WIDTHS = { choice: [32, 64, 128] };

const SPACES: Readonly<Record<string, Readonly<Record<string, Dimension>>>> = {
  ials: { factors: { choice: [64, 128, 256] }, strength: { log: [0.3, 3] }, nu: { choice: [1, 1, 0.75, 0.5] } },
  bpr: {
    factors: WIDTHS,
    learningRate: { log: [0.02, 0.5] },
    userDecay: { log: [0.003, 0.1] },
    itemDecay: { log: [0.003, 0.1] },
  },
  warp: { factors: WIDTHS, strength: { log: [0.3, 3] }, learningRate: { log: [0.02, 0.5] } },
  item2vec: {
    factors: WIDTHS,
    window: { choice: [3, 5, 10, 20] },
    negatives: { choice: [5, 10, 20] },
    learningRate: { log: [0.01, 0.1] },
    popularityWeight: { linear: [0, 0.75] },
  },
  'two-tower': { dimensions: WIDTHS, temperature: { log: [0.08, 0.5] }, learningRate: { log: [0.003, 0.03] } },
  'proto-mf': {
    variant: { choice: ['I', 'UI'] },
    softness: { log: [0.3, 3] },
    weightDecay: { log: [0.5, 8] },
    learningRate: { log: [0.005, 0.05] },
  },
  autoencoder: {
    code: { choice: [50, 100, 200] },
    dropout: { linear: [0.2, 0.8] },
    weightDecay: { log: [0.5, 8] },
    learningRate: { log: [0.002, 0.02] },
  },
  sequence: {
    dimensions: { choice: [48, 96, 128] },
    dropout: { linear: [0.2, 0.8] },
    weightDecay: { log: [0.5, 8] },
    learningRate: { log: [0.002, 0.02] },
  },
};

/** The n-th set of parameters: of 0 the defaults, of others a draw that depends on the seed and n alone. */
export function drawParams(model: string, seed: number, n: number): Record<string, unknown> {
  if (n === 0) return {};
  const stream = randomStream(seed, 'search', model, n);
  const space = Object.entries(SPACES[model] ?? {});
  return Object.fromEntries(space.map(([name, dimension]) => [name, drawn(dimension, stream.derive(name))]));
}

function drawn(dimension: Dimension, stream: RandomStream): number | string | boolean {
  if ('choice' in dimension) return dimension.choice[stream.below(dimension.choice.length)]!;
  const share = stream.uniform();
  const [least, most] = 'log' in dimension ? dimension.log : dimension.linear;
  const value = 'log' in dimension ? least * (most / least) ** share : least + (most - least) * share;
  return Number(value.toPrecision(3));
}
