/** On which scale a source rates, week by week. */
import { expect, test } from 'vitest';
import { columnsOf, type PlainEvent } from '../interactions/interactions.reference.ts';
import { interactionView } from '../interactions/interaction-view.ts';
import { findSubjects } from '../interactions/interactions.task.ts';
import { inlinePool } from '../../compute/pool.ts';
import { RatingScales } from './rating-scales.ts';
import { GROUP_MIN } from './robust-scale.ts';

const WEEK = 7 * 86_400_000;

test('a week with enough ratings has a scale of its own, a thin one that of its source, another source another', () => {
  const scales = new RatingScales(2);
  for (let n = 0; n < GROUP_MIN; n++) scales.add(0, n, 1 + (n % 5));
  for (let n = 0; n < GROUP_MIN; n++) scales.add(0, 2 * WEEK + n, 1 + (n % 10));
  scales.add(0, 5 * WEEK, 3);
  scales.add(1, 0, 4);
  expect([scales.at(0, 7), scales.at(0, 2 * WEEK), scales.at(0, 5 * WEEK), scales.at(1, 0)]).toEqual([5, 10, 10, 5]);
});

/** One person and item a rating: half of them before the platform went over to ten points. */
const ratings: PlainEvent[] = Array.from({ length: 2 * GROUP_MIN }, (_, n) => {
  const stars = 1 + (n % 5);
  const isLater = n >= GROUP_MIN;
  const at = n + (isLater ? 3 * WEEK : 0);
  return {
    user: `p${String(n).padStart(2, '0')}`,
    item: 'a',
    type: 'rating',
    value: isLater ? 2 * stars : stars,
    at,
    recordedAt: at,
    source: 'web',
  };
});

test('who liked something on five stars goes on liking it after the platform went over to ten points', async () => {
  const columns = columnsOf(ratings);
  const runs = findSubjects({ columns });
  const allowed = new Uint8Array(runs.subjects).fill(1);
  const events = { columns, runs, sources: 1, sourceNames: ['web'], allowed };
  const { interactions } = await interactionView(events, { pool: inlinePool(1) });
  const liked = ratings.filter((_, n) => 1 + (n % 5) >= 3).length;
  expect(interactions.rows).toBe(liked);
});
