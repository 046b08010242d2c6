/** Skip-gram stratum by stratum beside a fit in one process. */
import { assert, asyncProperty, constantFrom, integer, record } from 'fast-check';
import { expect, test } from 'vitest';
import { computePool, inlinePool } from '../../compute/pool.ts';
import { randomStream } from '../../random.ts';
import { KEY_BYTES } from '../types.ts';
import { SGNS_DEFAULTS, type SgnsInput, trainSgns } from './sgns.ts';
import { joinStrata, learnStratum, scheduleOf, strataBefore, type StratumVectors } from './sgns-strata.ts';

const WORDS = 150;

/** Texts with explicit negatives and chances; or plain ones. */
function texts(count: number, length: number, plain: boolean): SgnsInput {
  const stream = randomStream(63, 'texts');
  const tokens = Int32Array.from({ length: count * length }, (_, at) => {
    const word = stream.below(WORDS);
    return !plain && at % 5 === 4 ? ~word : word;
  });
  const chances = Uint32Array.from(tokens, () => (stream.below(3) === 0 ? 0x4000_0000 : 0xffff_ffff));
  const indptr = Int32Array.from({ length: count + 1 }, (_, n) => n * length);
  const keys = (rows: number) => Uint8Array.from({ length: rows * KEY_BYTES }, () => stream.below(256));
  return {
    words: WORDS,
    sequences: { indptr, tokens, ...(!plain && { chances }) },
    ...(!plain && { wordKeys: keys(WORDS), sequenceKeys: keys(count) }),
  };
}

test('learns the same bytes stratum by stratum as at once, in any process', async () => {
  await using pool = computePool({ threads: 2 });
  await using single = inlinePool();
  await assert(
    asyncProperty(
      record({
        plain: constantFrom(true, false),
        shuffled: constantFrom(true, false),
        blocks: integer({ min: 1, max: 4 }),
        epochs: integer({ min: 1, max: 3 }),
        // Texts have 1,200 tokens: from one round an epoch to three.
        roundPairs: constantFrom(3_200, 5_000, 250_000),
        subsample: constantFrom(0, 0.01),
        dimensions: constantFrom(16, 20),
        seed: integer({ min: 0, max: 1000 }),
      }),
      async ({ plain, seed, ...more }) => {
        const input = texts(60, 20, plain);
        const params = { ...SGNS_DEFAULTS, window: 4, negatives: 3, ...more };
        const whole = await trainSgns(input, params, { pool, seed, deterministic: true });
        const schedule = scheduleOf(input, params);
        let before = new Map<number, StratumVectors>();
        for (let round = 0; round < params.epochs * schedule.roundsPerEpoch; round++) {
          for (let sweep = 0; sweep < schedule.blocks; sweep++) {
            const learned = new Map<number, StratumVectors>();
            for (let block = 0; block < schedule.blocks; block++) {
              const stratum = { round, sweep, block };
              const needed = new Map(strataBefore(stratum, schedule).map((n) => [n, before.get(n)!]));
              const request = { input, params, stratum, before: needed };
              learned.set(block, await learnStratum(request, { pool: block === 1 ? single : pool, seed }));
            }
            before = learned;
          }
        }
        const joined = await joinStrata({ ...input, params, last: before }, { pool, seed });
        expect(joined.inputs).toEqual(whole.inputs);
        expect(joined.outputs).toEqual(whole.outputs);
      },
    ),
    { numRuns: 20 },
  );
});
