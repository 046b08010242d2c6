/** Owns the passes over what people write, in threads: which rows had a text by then, and what the texts come to. */
import { EVENT_TYPES } from '../../shared/contract-kit/event.ts';
import { sensitiveInferenceOf } from '../../shared/governance/sensitive-inferences.ts';
import { type FeatureOf, featuresOfView } from '../../shared/numerics/features/registry.ts';
import { SourceSums } from '../../shared/numerics/features/source-sums.ts';
import { TEXT_DAYS, text, TOPICS } from '../../shared/numerics/features/views/text.ts';
import type { AdmittedEvents } from '../../shared/numerics/interactions/interaction-view.ts';
import { sharedFloat32, sharedInt32 } from '../../shared/numerics/sparse.ts';
import { SENTIMENT_NOTABLE, sentimentOf } from '../../shared/numerics/text/sentiment.ts';
import { piecesOf, wordsOf } from '../../shared/numerics/text/tokens.ts';
import { findTopics } from '../../shared/numerics/text/topics.ts';
import { vocabularyOf } from '../../shared/numerics/text/vocabulary.ts';
import { mobile } from '../../shared/sources/mobile/source.ts';

const DAY_MS = 86_400_000;
const TYPES = new Set<number>(text.needs.events.map((type) => EVENT_TYPES.indexOf(type)));

/** Rows that may have a text, by person: rows[starts[n] .. starts[n + 1]] are those of person people[n]. */
export interface TextRows {
  readonly people: Int32Array;
  readonly starts: Int32Array;
  readonly rows: Int32Array;
}

export interface TextRowsRequest {
  readonly events: AdmittedEvents;
  readonly asOf: number;
  /** `words`: what people wrote about items; `notes`: what their app noted of where they were. */
  readonly of: 'words' | 'notes';
}

/** Rows that may carry such texts and count by then. Linear. */
export function findTextRows({ events, asOf, of }: TextRowsRequest): TextRows {
  const { columns, runs, sources, sourceNames, allowed } = events;
  const noting = of === 'notes' ? sourceNames.indexOf(mobile.name) : -1;
  const isAsked = (row: number): boolean =>
    of === 'words' ? TYPES.has(columns.type[row]!) : columns.source[row] === noting;
  const [people, starts, rows] = [[] as number[], [0], [] as number[]];
  for (let s = 0; s < runs.subjects; s++) {
    for (let row = runs.starts[s]!; row < runs.starts[s + 1]!; row++) {
      if (!isAsked(row) || allowed[s * sources + columns.source[row]!] === 0) continue;
      if (columns.occurredAt[row]! <= asOf && columns.recordedAt[row]! <= asOf) rows.push(row);
    }
    if (rows.length === starts.at(-1)) continue;
    people.push(s);
    starts.push(rows.length);
  }
  return {
    people: sharedInt32(people.length, people),
    starts: sharedInt32(starts.length, starts),
    rows: sharedInt32(rows.length, rows),
  };
}

export interface WrittenText {
  readonly text: string;
  readonly at: number;
  /** Number of the source. */
  readonly source: number;
}

export interface TextRequest {
  /** Each person's; none is empty. */
  readonly people: readonly (readonly WrittenText[])[];
  /** The most that each source may make up of a figure. */
  readonly shares: ArrayLike<number>;
  readonly asOf: number;
  readonly seed: number;
}

export interface TextFigures {
  /** people x features of the view. */
  readonly matrix: Float32Array;
  /** The words that say most of each topic; empty: the texts have no topics. */
  readonly topics: readonly (readonly string[])[];
}

/** A word that fewer people use could name somebody; a topic of fewer people could be somebody. */
export const TOPIC_PEOPLE_MIN = 5;
const VOCABULARY = {
  peopleMin: TOPIC_PEOPLE_MIN,
  shareMax: 0.5,
  wordsMax: 5_000,
  isBlocked: (word: string): boolean => sensitiveInferenceOf(word) !== undefined,
};
/** With fewer words there is nothing to part into topics. */
const WORDS_MIN = 2 * TOPICS;
const ROUNDS = 100;
const TOPIC_WORDS = 8;

const SUM = { texts: 0, read: 1, weight: 2, kindness: 3, kind: 4, unkind: 5 } as const;
const SUMS = 6;

export function figureTexts({ people, shares, asOf, seed }: TextRequest): TextFigures {
  const names = featuresOfView('text');
  const matrix = sharedFloat32(people.length * names.length).fill(Number.NaN);
  const sums = new SourceSums(SUMS, shares);
  for (const [row, texts] of people.entries()) {
    const figures = kindnessOf(texts, asOf, sums);
    for (const [name, value] of Object.entries(figures))
      matrix[row * names.length + names.indexOf(name as never)] = value;
  }
  const words = people.map((texts) => texts.flatMap((one) => wordsOf(piecesOf(one.text))));
  return { matrix, topics: addTopics(words, seed, matrix, names.length) };
}

type Kindness = Record<Exclude<FeatureOf<'text'>, `topic${number}`>, number>;

function kindnessOf(texts: readonly WrittenText[], asOf: number, sums: SourceSums): Kindness {
  sums.clear();
  for (const { text: written, at, source } of texts) {
    const { value, isRead } = sentimentOf(written);
    const weight = 2 ** (-(asOf - at) / DAY_MS / TEXT_DAYS);
    sums.add(SUM.texts, source, 1);
    if (!isRead) continue;
    sums.add(SUM.read, source, 1);
    sums.add(SUM.weight, source, weight);
    sums.add(SUM.kindness, source, weight * value);
    if (value >= SENTIMENT_NOTABLE) sums.add(SUM.kind, source, weight);
    if (value <= -SENTIMENT_NOTABLE) sums.add(SUM.unkind, source, weight);
  }
  return {
    texts: Math.log1p(sums.total(SUM.texts)),
    readShare: sums.mean(SUM.read, SUM.texts),
    sentiment: sums.mean(SUM.kindness, SUM.weight),
    kindShare: sums.mean(SUM.kind, SUM.weight),
    unkindShare: sums.mean(SUM.unkind, SUM.weight),
  };
}

/** Writes shares of topics into the last columns. */
function addTopics(
  people: readonly (readonly string[])[],
  seed: number,
  matrix: Float32Array,
  width: number,
): string[][] {
  const { words, rows } = vocabularyOf(people, VOCABULARY);
  if (words.length < WORDS_MIN) return [];
  const { shares, weights } = findTopics(rows, { topics: TOPICS, rounds: ROUNDS, seed, words });
  for (const row of people.keys())
    for (let k = 0; k < TOPICS; k++) matrix[row * width + width - TOPICS + k] = shares[row * TOPICS + k]!;
  return Array.from({ length: TOPICS }, (_, k) => {
    const own = weights.subarray(k * words.length, (k + 1) * words.length);
    const order = [...words.keys()].filter((word) => own[word]! > 0).sort((a, b) => own[b]! - own[a]! || a - b);
    return order.slice(0, TOPIC_WORDS).map((word) => words[word]!);
  });
}
