/** Ticks over clock changes, beside a slow reference that walks through every minute. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseCron, ticksOf } from './cron.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** Zone and a moment near a change of its clocks: an hour forward or back, half an hour, at midnight, and none. */
const CHANGES: readonly (readonly [zone: string, near: number])[] = [
  ['Europe/Berlin', Date.UTC(2026, 2, 29, 1)],
  ['Europe/Berlin', Date.UTC(2026, 9, 25, 1)],
  ['America/New_York', Date.UTC(2026, 2, 8, 7)],
  ['America/New_York', Date.UTC(2026, 10, 1, 6)],
  ['Australia/Lord_Howe', Date.UTC(2026, 3, 4, 15)],
  ['Australia/Lord_Howe', Date.UTC(2026, 9, 3, 15)],
  ['Africa/Cairo', Date.UTC(2026, 3, 23, 22)],
  ['Asia/Beirut', Date.UTC(2026, 9, 24, 21)],
  ['America/Havana', Date.UTC(2026, 10, 1, 5)],
  ['Atlantic/Azores', Date.UTC(2026, 9, 25, 1)],
  ['Asia/Kolkata', Date.UTC(2026, 2, 29, 1)],
];

const clockOf = (zone: string) => {
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'medium' });
  /** The wall clock as if it were UTC. */
  return (at: number): number => Date.parse(`${format.format(at).replace(' ', 'T')}Z`);
};

/** Reads the wall clock at every minute of a window and applies the stated rule word by word. */
function slowTicks(minutes: readonly number[], hours: readonly number[], every: boolean, zone: string, from: number) {
  const wall = clockOf(zone);
  const ticks: number[] = [];
  const seen = new Set<number>();
  const matches = (local: number): boolean =>
    minutes.includes(new Date(local).getUTCMinutes()) && hours.includes(new Date(local).getUTCHours());
  let before = wall(from - 24 * HOUR_MS);
  for (let at = from - 24 * HOUR_MS + MINUTE_MS; at <= from + 48 * HOUR_MS; at += MINUTE_MS) {
    const local = wall(at);
    let due = matches(local) && (every || !seen.has(local));
    // The minutes that a jump leaves out.
    if (!every) for (let gone = before + MINUTE_MS; gone < local; gone += MINUTE_MS) due ||= matches(gone);
    seen.add(local);
    before = local;
    if (due && at > from) ticks.push(at);
  }
  return ticks;
}

describe('the ticks of a schedule', () => {
  it('are those of a reference that reads the clock at every minute, over clock changes of every sort', () => {
    const some = (max: number) => fc.uniqueArray(fc.integer({ min: 0, max }), { minLength: 1, maxLength: 4 });
    const hours = fc.oneof(fc.constant('*' as const), some(5), some(23));
    fc.assert(
      fc.property(
        fc.constantFrom(...CHANGES),
        some(59),
        hours,
        fc.integer({ min: -1800, max: 600 }),
        ([zone, near], minutes, hour, shift) => {
          const every = hour === '*';
          const hourList = every ? Array.from({ length: 24 }, (_, at) => at) : hour;
          const from = near + shift * MINUTE_MS;
          const slow = slowTicks(minutes, hourList, every, zone, from);
          const cron = `${minutes.join(',')} ${every ? '*' : hourList.join(',')} * * *`;
          expect(ticksOf(cron, zone, from, slow.length)).toEqual(slow);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('run a nightly time that does not exist when the clocks jump, and one that comes twice the first time', () => {
    const spring = ticksOf('30 2 * * *', 'Europe/Berlin', Date.UTC(2026, 2, 28, 12), 2);
    expect(spring.map((at) => new Date(at).toISOString())).toEqual([
      '2026-03-29T01:00:00.000Z', // 03:00 of the new time
      '2026-03-30T00:30:00.000Z',
    ]);
    const autumn = ticksOf('30 2 * * *', 'Europe/Berlin', Date.UTC(2026, 9, 24, 12), 2);
    expect(autumn.map((at) => new Date(at).toISOString())).toEqual([
      '2026-10-25T00:30:00.000Z',
      '2026-10-26T01:30:00.000Z',
    ]);
  });

  it('stay an hour apart through both changes where every hour is meant', () => {
    for (const near of [Date.UTC(2026, 2, 28, 20), Date.UTC(2026, 9, 24, 20)]) {
      const ticks = ticksOf('10 * * * *', 'Europe/Berlin', near, 12);
      expect(ticks.slice(1).map((at, index) => at - (ticks[index] ?? 0))).toEqual(Array(11).fill(HOUR_MS));
    }
  });

  it('know months, weekdays, steps, leap days, and either of day and weekday', () => {
    const days = (cron: string, count: number) =>
      ticksOf(cron, 'UTC', Date.UTC(2026, 0, 1), count).map((at) => new Date(at).toISOString().slice(0, 16));
    expect(days('0 3 * feb-mar/1 MON', 2)).toEqual(['2026-02-02T03:00', '2026-02-09T03:00']);
    expect(days('*/20 5-7/2 1 * *', 4)).toEqual([
      '2026-01-01T05:00',
      '2026-01-01T05:20',
      '2026-01-01T05:40',
      '2026-01-01T07:00',
    ]);
    expect(days('0 0 29 2 *', 2)).toEqual(['2028-02-29T00:00', '2032-02-29T00:00']);
    expect(days('0 0 13 * 5', 3)).toEqual(['2026-01-02T00:00', '2026-01-09T00:00', '2026-01-13T00:00']);
    expect(days('0 0 * * 7', 1)).toEqual(['2026-01-04T00:00']);
  });

  it('do not exist where the expression is wrong or never comes true', () => {
    for (const cron of ['* * *', '99 * * * *', '0 0 31 2 *', '5-1 * * * *', '*/0 * * * *', 'x * * * *', '1- * * * *'])
      expect(ticksOf(cron, 'UTC', 0, 1)).toEqual([]);
    expect(parseCron('0 24 * * *')).toBe('the hour "24" is not within 0-23');
  });
});
