/** Texts: sentiment with known answers and none where the language is not read; topics equal to their definition, and those that were planted. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { randomStream } from '../../random.ts';
import { fromTriples } from '../sparse.ts';
import { sentimentOf, SENTIMENT_NOTABLE } from './sentiment.ts';
import { referenceTopics } from './topics.reference.ts';
import { findTopics } from './topics.ts';
import { vocabularyOf } from './vocabulary.ts';

const KIND = [
  'I love this video',
  'great!',
  'What a beautiful song, thank you so much',
  'not bad at all',
  'This was really helpful and well explained',
  'best recipe ever, my kids enjoyed it',
  'The start is slow but the ending is amazing',
  "I can't stop smiling, so funny 😂",
  'Awesome work, keep it up!!!',
  'never a dull moment',
  '😍😍😍',
  'absolutely brilliant performance',
];
const UNKIND = [
  'I hate this',
  'terrible audio',
  'This is not good',
  "I don't like the way he talks",
  'What a waste of time',
  'boring and way too long',
  'The idea is nice but the video is awful',
  'worst advice I have ever heard',
  'fake news, stop lying',
  "it wasn't funny at all",
  'So disappointed with this channel!!',
  '😡👎',
];
const NEUTRAL = [
  'I watched it on my phone',
  'Who is the man in the second part?',
  'Part two comes out on Monday',
  'first',
];
const NOT_READ = [
  'Das ist ein sehr schönes Lied und die Musik ist gut',
  'Ce film est très bon mais je ne sais pas',
  'Esta receta es muy buena, gracias por el video',
  'yeh gaana bahut accha hai yaar',
  'यह वीडियो बहुत अच्छा है',
  'これは素晴らしいです',
  'Die Musik',
  '',
  '12345 ???',
];

describe('sentiment', () => {
  test.each(KIND)('is kind in: %s', (text) => {
    expect(sentimentOf(text).value).toBeGreaterThanOrEqual(SENTIMENT_NOTABLE);
  });
  test.each(UNKIND)('is unkind in: %s', (text) => {
    expect(sentimentOf(text).value).toBeLessThanOrEqual(-SENTIMENT_NOTABLE);
  });
  test.each(NEUTRAL)('is neither in: %s', (text) => {
    expect(Math.abs(sentimentOf(text).isRead ? sentimentOf(text).value : 0)).toBeLessThan(SENTIMENT_NOTABLE);
  });
  test.each(NOT_READ)('is not said of what is not English: %s', (text) => {
    expect(sentimentOf(text)).toEqual({ value: Number.NaN, isRead: false });
  });

  test('grows with degree, capitals and exclamation, and shrinks with doubt', () => {
    const [plain, very, loud, exclaimed, somewhat] = [
      'this is good',
      'this is very good',
      'this is GOOD',
      'this is good!!!',
      'this is somewhat good',
    ].map((text) => sentimentOf(text).value);
    for (const more of [very, loud, exclaimed]) expect(more).toBeGreaterThan(plain!);
    expect(somewhat).toBeLessThan(plain!);
  });

  test('of any text is a figure from -1 to 1, or none', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), (text) => {
        const { value, isRead } = sentimentOf(text);
        expect(isRead ? Math.abs(value) <= 1 : Number.isNaN(value)).toBe(true);
      }),
    );
  });
});

/** Documents of words of one of three planted topics each, and of words that all use. */
function planted(documents: number): { readonly people: string[][]; readonly of: number[] } {
  const themes = [
    'goal striker keeper penalty league',
    'flour butter oven dough recipe',
    'chord guitar melody drummer album',
  ];
  const draw = randomStream(3, 'planted');
  const of = Array.from({ length: documents }, (_, n) => n % 3);
  const people = of.map((theme) =>
    Array.from({ length: 12 }, (_, n) =>
      n % 4 === 3 ? ['video', 'channel'][draw.below(2)]! : themes[theme]!.split(' ')[draw.below(5)]!,
    ),
  );
  return { people, of };
}
const OPEN = { peopleMin: 3, shareMax: 0.9, wordsMax: 100, isBlocked: () => false };

describe('topics', () => {
  test('equal their slow definition', () => {
    const matrices = fc.tuple(fc.integer({ min: 2, max: 7 }), fc.integer({ min: 2, max: 6 })).chain(([rows, columns]) =>
      fc.array(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: columns, maxLength: columns }), {
        minLength: rows,
        maxLength: rows,
      }),
    );
    fc.assert(
      fc.property(matrices, fc.integer({ min: 1, max: 3 }), fc.integer({ min: 0, max: 99 }), (x, topics, seed) => {
        const words = x[0]!.map((_, n) => `word${n}`);
        const cells = x.flatMap((row, m) => row.map((value, n) => [m, n, value] as const));
        const texts = fromTriples(
          x.length,
          words.length,
          cells.map(([m]) => m),
          cells.map(([, n]) => n),
          cells.map(([, , v]) => v),
        );
        const options = { topics, rounds: 8, seed, words };
        const [got, expected] = [findTopics(texts, options), referenceTopics(x, options)];
        for (const [at, value] of expected.shares.flat().entries()) expect(got.shares[at]).toBeCloseTo(value, 8);
        for (const [at, value] of expected.weights.flat().entries()) expect(got.weights[at]).toBeCloseTo(value, 8);
      }),
      { numRuns: 100 },
    );
  });

  test('come nearer with every round, and are the same for the same seed', () => {
    const { words, rows } = vocabularyOf(planted(60).people, OPEN);
    const at = (rounds: number) => findTopics(rows, { topics: 3, rounds, seed: 1, words });
    const errors = [1, 5, 20, 80].map((rounds) => at(rounds).error);
    expect(errors).toEqual(errors.toSorted((a, b) => b - a));
    expect(at(20)).toEqual(at(20));
  });

  test('are those that were planted', () => {
    const { people, of } = planted(90);
    const { words, rows } = vocabularyOf(people, OPEN);
    const { shares } = findTopics(rows, { topics: 3, rounds: 100, seed: 1, words });
    const largest = of.map((_, row) =>
      [0, 1, 2].reduce((best, k) => (shares[row * 3 + k]! > shares[row * 3 + best]! ? k : best), 0),
    );
    const named = new Map([0, 1, 2].map((theme) => [theme, largest[theme]!]));
    expect(new Set(named.values()).size).toBe(3);
    expect(of.filter((theme, row) => named.get(theme) === largest[row])).toHaveLength(of.length);
  });

  test('are made of words that many use and nobody is told by', () => {
    const people = [...planted(30).people, ['asha', 'goal'], ['diabetes', 'goal'], ['diabetes'], ['diabetes']];
    const { words } = vocabularyOf(people, { ...OPEN, isBlocked: (word) => word.startsWith('diabet') });
    expect(words).toContain('goal');
    expect(words).not.toContain('asha');
    expect(words).not.toContain('diabetes');
  });
});
