/** Acts cut into sessions by their gaps. */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { SESSION_GAP_MS, Sessions } from './sessions.ts';

const START = Date.UTC(2026, 0, 1);

test('acts of one person without a long gap are one session, whoever acts in between and a little out of order', () => {
  const sessions = new Sessions('log');
  const minutes = [0, 10, 5, 35, 64, 95, 96];
  const names = minutes.map((minute) => {
    sessions.of('ben', START + minute * 60_000);
    return sessions.of('ann', START + minute * 60_000);
  });
  expect(new Set(names.slice(0, 5)).size).toBe(1);
  expect(names[5]).not.toBe(names[0]);
  expect(names[6]).toBe(names[5]);
  expect(sessions.of('ben', START + 96 * 60_000)).not.toBe(names[6]);
});

test('agree with a reference that looks at all acts at once, and come out the same every time', () => {
  const acts = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.integer({ min: 0, max: 20 * SESSION_GAP_MS })), {
    maxLength: 60,
  });
  fc.assert(
    fc.property(acts, (given) => {
      const inOrder = given.toSorted((x, y) => x[1] - y[1]);
      const run = (): string[] => {
        const sessions = new Sessions('log');
        return inOrder.map(([user, at]) => sessions.of(user, START + at));
      };
      const names = run();
      expect(run()).toEqual(names);
      for (let i = 0; i < inOrder.length; i++)
        for (let j = i + 1; j < inOrder.length; j++) {
          const [user, from] = inOrder[i]!;
          if (inOrder[j]![0] !== user) continue;
          const between = inOrder.slice(i, j + 1).filter(([who]) => who === user);
          const whole = between.every(([, at], n) => n === 0 || at - between[n - 1]![1] <= SESSION_GAP_MS);
          expect(names[i] === names[j], `${from}`).toBe(whole);
        }
    }),
    { numRuns: 200 },
  );
});
