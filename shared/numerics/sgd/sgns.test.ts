import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { computePool, type OwnedComputePool } from '../../compute/pool.ts';
import { randomStream } from '../../random.ts';
import { SGNS_DEFAULTS, type SgnsInput, type SgnsParams, trainSgns } from './sgns.ts';

let pool: OwnedComputePool;
beforeAll(() => {
  pool = computePool({ threads: 2 });
});
afterAll(() => pool.close());

const WORDS = 240;
const CLUSTERS = 6;

/** Texts each of one topic with some noise; low words are more frequent. */
function texts(count: number, length: number): SgnsInput {
  const stream = randomStream(61, 'texts');
  const tokens = Int32Array.from({ length: count * length }, (_, at) => {
    const rare = Math.floor((WORDS / CLUSTERS) * stream.uniform() ** 2);
    const topic = stream.uniform() < 0.1 ? stream.below(CLUSTERS) : Math.floor(at / length) % CLUSTERS;
    return rare * CLUSTERS + topic;
  });
  return {
    words: WORDS,
    sequences: { indptr: Int32Array.from({ length: count + 1 }, (_, n) => n * length), tokens },
  };
}

const input = texts(1500, 20);
const params: SgnsParams = { ...SGNS_DEFAULTS, dimensions: 20, epochs: 3 };

/** Share of the ten nearest neighbours, by cosine, that are of a word's own topic. */
function planted(data: Float32Array, width: number): number {
  const rows = Array.from({ length: WORDS }, (_, n) => data.subarray(n * width, (n + 1) * width));
  const norms = rows.map((row) => Math.hypot(...row));
  let own = 0;
  rows.forEach((row, n) => {
    const near = rows
      .map((other, m) => ({ m, like: row.reduce((sum, v, d) => sum + v * other[d]!, 0) / (norms[n]! * norms[m]!) }))
      .filter(({ m }) => m !== n)
      .toSorted((a, b) => b.like - a.like)
      .slice(0, 10);
    own += near.filter(({ m }) => m % CLUSTERS === n % CLUSTERS).length;
  });
  return own / (WORDS * 10);
}

describe('trainSgns', () => {
  test.each([
    ['in order', {}],
    ['shuffled', { shuffled: true }],
    ['thinned out', { subsample: 0.01 }],
    ['uniform negatives', { negativeExponent: 0 }],
  ])('finds planted clusters: %s', async (_what, more) => {
    const { inputs } = await trainSgns(input, { ...params, ...more }, { pool, seed: 1 });
    expect(planted(inputs.data, 20)).toBeGreaterThan(0.95);
  });

  test('finds them as well with negatives from within strata as with negatives from all words', async () => {
    const shares = await Promise.all(
      [1, 2, 4].map(async (blocks) => {
        const { inputs } = await trainSgns(input, { ...params, blocks }, { pool, seed: 1 });
        return planted(inputs.data, 20);
      }),
    );
    for (const share of shares) expect(Math.abs(share - shares[0]!)).toBeLessThan(0.01);
  });

  test('finds most of them in as few texts as a word is met five times in', async () => {
    const { inputs } = await trainSgns(texts(60, 20), { ...params, epochs: 5 }, { pool, seed: 1 });
    expect(planted(inputs.data, 20)).toBeGreaterThan(0.7);
  });

  test.each([true, false])('gives the same bytes for 1, 2 and 3 threads (deterministic: %s)', async (deterministic) => {
    const results = await Promise.all(
      [1, 2, 3].map(async (threads) => {
        await using own = computePool({ threads });
        const vectors = await trainSgns(
          input,
          { ...params, epochs: 2, blocks: 4, shuffled: true, subsample: 0.01 },
          { pool: own, seed: 4, deterministic },
        );
        return [vectors.inputs.data, vectors.outputs.data].map((data) =>
          Buffer.from(data.slice().buffer).toString('hex'),
        );
      }),
    );
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  });

  test('goes round by round where an epoch has more pairs than fit at once', async () => {
    // Windows of 50 leave room for 2500 positions a round: twelve rounds.
    const { inputs } = await trainSgns(input, { ...params, window: 50, epochs: 2 }, { pool, seed: 4 });
    expect(planted(inputs.data, 20)).toBeGreaterThan(0.95);
  });

  test('learns from tokens as often as their chances say: those without one are as if they were not there', async () => {
    const { sequences } = texts(100, 20);
    const noise = randomStream(62, 'noise');
    // Texts of the planted topics, each with as many tokens at random.
    const tokens = Int32Array.from({ length: sequences.tokens.length * 2 }, (_, at) =>
      at % 2 === 0 ? sequences.tokens[at / 2]! : noise.below(WORDS),
    );
    const indptr = sequences.indptr.map((at) => at * 2);
    const chances = Uint32Array.from(tokens, (_, at) => (at % 2 === 0 ? 0xffff_ffff : 0));
    const own = { ...params, epochs: 8, window: 10 };
    const [noisy, kept] = await Promise.all(
      [undefined, chances].map((given) =>
        trainSgns({ words: WORDS, sequences: { indptr, tokens, chances: given } }, own, { pool, seed: 1 }),
      ),
    );
    expect(planted(kept!.inputs.data, 20)).toBeGreaterThan(planted(noisy!.inputs.data, 20) + 0.1);
  });

  test('keeps a word away from those near which it is an explicit negative', async () => {
    // Words 0 and 1 are of one text half of the time; then 1 is not said, or is said not to belong.
    const texts = (said: number) =>
      Array.from({ length: 400 }, (_, n) => [0, n % 2 === 0 ? 1 : said, 2 + (n % 7), 9 + (n % 5)]).flat();
    const indptr = Int32Array.from({ length: 401 }, (_, n) => n * 4);
    const learn = async (said: number) => {
      const sequences = { indptr, tokens: Int32Array.from(texts(said)) };
      const { inputs, outputs } = await trainSgns({ words: 14, sequences }, params, { pool, seed: 1 });
      return inputs.data.subarray(0, 20).reduce((sum, value, d) => sum + value * outputs.data[20 + d]!, 0);
    };
    expect(await learn(~1)).toBeLessThan((await learn(2)) - 0.2);
  });

  const { sequences } = input;
  const bad: [string, SgnsInput, object, string][] = [
    ['a word out of range', { ...input, words: 10 }, {}, 'NUMERICS_INPUT_INVALID'],
    [
      'an explicit negative out of range',
      { ...input, sequences: { ...sequences, tokens: sequences.tokens.map((token, n) => (n === 5 ? ~WORDS : token)) } },
      {},
      'NUMERICS_INPUT_INVALID',
    ],
    [
      'chances that do not fit the tokens',
      { ...input, sequences: { ...sequences, chances: new Uint32Array(3) } },
      {},
      'NUMERICS_INPUT_INVALID',
    ],
    [
      'an indptr that does not span',
      { words: 3, sequences: { indptr: Int32Array.of(0, 1), tokens: Int32Array.of(1, 2) } },
      {},
      'NUMERICS_INPUT_INVALID',
    ],
    [
      'an indptr that decreases',
      { words: 3, sequences: { indptr: Int32Array.of(0, 2, 1, 2), tokens: Int32Array.of(1, 2) } },
      {},
      'NUMERICS_INPUT_INVALID',
    ],
    [
      'nothing at all',
      { words: 3, sequences: { indptr: Int32Array.of(0), tokens: new Int32Array(0) } },
      {},
      'DATASET_EMPTY',
    ],
    ['more memory than its bound', input, { memoryBytesMax: 70_000 }, 'NUMERICS_MEMORY_LIMIT'],
  ];
  test.each(bad)('refuses %s', async (_what, own, more, code) => {
    await expect(trainSgns(own, params, { pool, seed: 1, ...more })).rejects.toMatchObject({ code });
  });

  test('refuses numbers beyond its bounds', async () => {
    for (const more of [
      { dimensions: 0 },
      { window: 0 },
      { negatives: 101 },
      { learningRate: -1 },
      { blocks: 17 },
      { roundPairs: 0 },
    ]) {
      await expect(trainSgns(input, { ...params, ...more }, { pool, seed: 1 })).rejects.toThrow(RangeError);
    }
  });
});
