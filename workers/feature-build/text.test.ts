/** What people write as features: kindness by person, topics of many people alone, and nothing of a text whose act does not count. */
import { expect, test } from 'vitest';
import { EVENT_TYPES } from '../../shared/contract-kit/event.ts';
import { featuresOfView } from '../../shared/numerics/features/registry.ts';
import type { AdmittedEvents } from '../../shared/numerics/interactions/interaction-view.ts';
import { figureTexts, findTextRows, TOPIC_PEOPLE_MIN, type WrittenText } from './text.task.ts';

const NAMES: readonly string[] = featuresOfView('text');
const DAY = 86_400_000;
const said = (text: string, at = 0): WrittenText => ({ text, at, source: 0 });
const figures = (people: readonly (readonly WrittenText[])[]) => {
  const { matrix, topics } = figureTexts({ people, shares: [1], asOf: 180 * DAY, seed: 1 });
  const rows = people.map((_, row) =>
    Object.fromEntries(NAMES.map((name, n) => [name, matrix[row * NAMES.length + n]!])),
  );
  return { rows, topics };
};

test('sentiment is the mean of the texts that are read, the older the less, and no value where none is', () => {
  const { rows } = figures([
    [said('I love this, it is great'), said('Das ist ein sehr gutes Lied')],
    [said('I hate this, it is terrible')],
    [said('yeh bahut accha hai')],
    [said('I hate this', 0), said('I love this', 180 * DAY)],
  ]);
  expect(rows[0]).toMatchObject({ readShare: 0.5, kindShare: 1, unkindShare: 0 });
  expect(rows[0]!['sentiment']).toBeGreaterThan(0.5);
  expect(rows[1]!['sentiment']).toBeLessThan(-0.5);
  expect(rows[2]).toMatchObject({ readShare: 0, sentiment: Number.NaN, kindShare: Number.NaN });
  // Two half-lives old: a fifth of the weight of both.
  expect(rows[3]!['kindShare']).toBeCloseTo(0.8, 6);
});

test('topics are told by words that many use, none of which would tell what must not be inferred', () => {
  const themes = [
    'goal striker keeper penalty league referee stadium trophy',
    'flour butter oven dough recipe sugar vanilla whisk',
    'chord guitar melody drummer album chorus studio vocals',
  ];
  const people = Array.from({ length: 60 }, (_, n) => [said(`${themes[n % 3]!} diabetes`), said(`secretname${n}`)]);
  const { rows, topics } = figures(people);
  const told = topics.flat();
  expect(told.length).toBeGreaterThan(8);
  expect(told.filter((word) => word.startsWith('diabet') || word.startsWith('secretname'))).toEqual([]);
  for (const row of rows) {
    const shares = NAMES.filter((name) => name.startsWith('topic')).map((name) => row[name]!);
    expect(shares.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 5);
  }
});

test('few people have no topics: they would be about somebody', () => {
  const few = Array.from({ length: TOPIC_PEOPLE_MIN - 1 }, () => [said('goal striker keeper penalty league referee')]);
  const { rows, topics } = figures(few);
  expect(topics).toEqual([]);
  expect(rows[0]!['topic1']).toBeNaN();
});

test('texts are looked for only with acts that count by then, of types that carry words about items', () => {
  const row = (type: string, occurredAt: number, recordedAt: number, source: number) => ({
    type: EVENT_TYPES.indexOf(type as never),
    occurredAt,
    recordedAt,
    source,
  });
  const rows = [
    row('comment', 1, 1, 0),
    row('comment', 1, 9, 0),
    row('comment', 9, 9, 0),
    row('comment', 1, 1, 1),
    row('search', 1, 1, 0),
    row('view', 1, 1, 0),
    row('survey', 2, 5, 0),
  ];
  const events = {
    columns: {
      rows: rows.length,
      type: Uint8Array.from(rows, ({ type }) => type),
      occurredAt: Float64Array.from(rows, (one) => one.occurredAt),
      recordedAt: Float64Array.from(rows, (one) => one.recordedAt),
      source: Uint16Array.from(rows, ({ source }) => source),
    },
    runs: { subjects: 1, starts: Int32Array.of(0, rows.length) },
    sources: 2,
    allowed: Uint8Array.of(1, 0),
  } as unknown as AdmittedEvents;
  expect([...findTextRows({ events, asOf: 5, of: 'words' }).rows]).toEqual([0, 6]);
});
