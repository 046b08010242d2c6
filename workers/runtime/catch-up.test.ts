/** Catch-up over random downtimes, beside a reference that walks through every minute. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CATCH_UPS } from '../../shared/contract-kit/envelope.ts';
import { DAYS_BACK_MAX, decide, dueTicks } from './catch-up.ts';

const MINUTE_MS = 60_000;
const START = Date.UTC(2026, 9, 24, 21, 7);

/** A turn at each of these minutes after the start; what each policy runs, by the words of the policy. */
function reference(every: number, turns: readonly number[], catchUp: string, bound: number): [number, string][] {
  const decided: [number, string][] = [];
  let last = 0;
  for (const turn of turns) {
    const due: number[] = [];
    for (let minute = last + 1; minute <= turn; minute++) {
      const at = START + minute * MINUTE_MS;
      if (new Date(at).getUTCMinutes() % every === 0) due.push(minute);
    }
    for (const [index, minute] of due.entries()) {
      const after = due.length - 1 - index;
      const missed = due.filter((other) => turn - other > 1).length;
      const newestMissed = missed - 1 - index;
      if (turn - minute <= 1) decided.push([minute, 'on-time']);
      else if (catchUp === 'all' && newestMissed < bound) decided.push([minute, 'caught-up']);
      else if (catchUp === 'latest' && after === 0) decided.push([minute, 'caught-up']);
      else decided.push([minute, 'skipped']);
    }
    last = turn;
  }
  return decided;
}

test('every tick is decided once, in order, as its policy says, whatever the downtimes', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...CATCH_UPS),
      fc.integer({ min: 1, max: 5 }),
      fc.constantFrom(1, 5, 15, 30),
      fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 8 }),
      (catchUp, catchUpMax, every, gaps) => {
        const turns = gaps.map((_gap, index) => gaps.slice(0, index + 1).reduce((sum, gap) => sum + gap, 0));
        // Berlin turns its clocks back within this window; elapsed time is what these ticks follow.
        const record = {
          cron: `*/${every} * * * *`,
          timeZone: 'Europe/Berlin',
          declaredAt: START,
          catchUp,
          catchUpMax,
        };
        const decided: [number, string][] = [];
        let cursor = START;
        for (const turn of turns) {
          const now = START + turn * MINUTE_MS;
          const due = dueTicks(record, cursor, now);
          for (const { tick, did } of decide(due, record, now)) decided.push([(tick - START) / MINUTE_MS, did]);
          cursor = due.at(-1) ?? cursor;
        }
        expect(decided).toEqual(reference(every, turns, catchUp, catchUpMax));
      },
    ),
    { numRuns: 60 },
  );
});

test('ticks before the declaration are not owed, and a long absence is looked at for its last month alone', () => {
  const record = { cron: '0 0 * * *', timeZone: 'UTC', declaredAt: START };
  expect(dueTicks(record, 0, START + 3 * MINUTE_MS)).toEqual([]);
  const yearLater = START + 365 * 24 * 60 * MINUTE_MS;
  expect(dueTicks(record, START, yearLater)).toHaveLength(DAYS_BACK_MAX);
});
