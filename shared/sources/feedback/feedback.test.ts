/** The feedback schema: every answer is an event that passes the check, and does what its row says. */
import { expect, test } from 'vitest';
import { checkEvent } from '../../contract-kit/event.ts';
import {
  effectOf,
  eventOfFeedback,
  FEEDBACK_RESPONSES,
  FEEDBACK_SCHEMA_VERSION,
  feedbackSchema,
  feedbackTable,
} from './schema.ts';
import { feedback } from './source.ts';

const AT = Date.UTC(2026, 0, 1);
const answer = (more: object) => feedbackSchema.safeParse({ user: 'ann', item: 'v1', at: AT, ...more });

test('every answer becomes an event that is accepted and that the source gives', () => {
  for (const response of FEEDBACK_RESPONSES) {
    const valued = answer({ response, value: 4 });
    const parsed = valued.success ? valued : answer({ response });
    const checked = checkEvent(eventOfFeedback(parsed.data!), 0, AT);
    expect(checked).toMatchObject({ ok: true });
    expect(feedback.eventTypes).toContain(eventOfFeedback(parsed.data!).type);
  }
});

test('stars are ratings of twice as many points, and reasons the words of the event', () => {
  const stars = answer({ response: 'stars', value: 4.5, reason: 'funny', requestId: 'r1', id: 'f1' }).data!;
  expect(eventOfFeedback(stars)).toEqual({
    id: 'f1',
    user: 'ann',
    item: 'v1',
    requestId: 'r1',
    type: 'rating',
    value: 9,
    occurredAt: AT,
    text: 'funny',
  });
});

test('effects are those of the interaction table', () => {
  const told = (response: (typeof FEEDBACK_RESPONSES)[number], value?: number) => effectOf({ response, value });
  expect(told('thumb-up')).toEqual({ counts: 'for', weight: 1.5, shownAgain: false });
  expect(told('thumb-down')).toEqual({ counts: 'against', weight: 0, shownAgain: false });
  expect(told('not-interested')).toEqual({ counts: 'against', weight: 0, shownAgain: false });
  expect(told('stars', 3).counts).toBe('for');
  expect(told('stars', 2.5).counts).toBe('against');
  expect(told('survey', 9)).toEqual({ counts: 'none', weight: 0, shownAgain: true });
});

test('a row that changes its meaning needs a new version of the schema', () => {
  const rows = feedbackTable().rows.map(
    ({ response, type, effect, features }) =>
      `${response} ${type} ${effect.counts} ${effect.weight}, effort ${features.effort}${features.liking ? ', liking' : ''}`,
  );
  expect([FEEDBACK_SCHEMA_VERSION, ...rows]).toEqual([
    1,
    'like like for 1.5, effort 1.5, liking',
    'stars rating for 1, effort 1.5, liking',
    'rating rating for 1, effort 1.5, liking',
    'thumb-up thumb for 1.5, effort 1.5, liking',
    'thumb-down thumb against 0, effort 1.5, liking',
    'not-interested not-interested against 0, effort 1.5, liking',
    'survey survey none 0, effort 2',
  ]);
});

test.each([
  [{ response: 'stars' }, 'value'],
  [{ response: 'stars', value: 7 }, 'value'],
  [{ response: 'like', value: 1 }, 'value'],
  [{ response: 'like', item: undefined }, 'item'],
  [{ response: 'meh' }, 'response'],
])('%j is refused by field', (more, field) => {
  expect(answer(more).error?.issues[0]?.path).toEqual([field]);
});
