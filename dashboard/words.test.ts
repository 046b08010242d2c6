/** Facts about how numbers, times and failures read. */
import { describe, expect, it } from 'vitest';
import { AppError } from '../shared/errors.ts';
import { ticksOf } from '../shared/contract-kit/cron.ts';
import { countOf, explain, figure, percent, relative, rhythm, shortId, span, spaced } from './words.ts';

describe('words', () => {
  it.each([
    [0, '0 ms'],
    [340, '340 ms'],
    [2_449, '2.4 s'],
    [41_800, '42 s'],
    [192_000, '3 min 12 s'],
    [18_600_000, '5 h 10 min'],
    [353_000_000, '4 d 2 h'],
    [120_000, '2 min'],
    [-5, '0 ms'],
  ])('a span of %d ms reads "%s"', (ms, words) => {
    expect(span(ms)).toBe(words);
  });

  it.each([
    [0, 'just now'],
    [-70_000, '1 min ago'],
    [3_600_000, 'in 1 h'],
    [-90_000_000, '1 d ago'],
  ])('a moment %d ms from now reads "%s"', (distance, words) => {
    expect(relative(1e12 + distance, 1e12)).toBe(words);
  });

  it('counts say one or many, figures say when they are not estimable', () => {
    expect([countOf(1, 'person', 'people'), countOf(2_000, 'person', 'people')]).toEqual(['1 person', '2,000 people']);
    expect([figure(null), figure(0), figure(0.24671), percent(0.638), percent(0.0042)]).toEqual([
      'not estimable',
      '0',
      '0.247',
      '64 %',
      '0.4 %',
    ]);
  });

  it('names lose their case and ids their tails', () => {
    expect([spaced('ageGroup'), spaced('bias-audit')]).toEqual(['age group', 'bias audit']);
    expect(shortId('embeddings-d4d0e4f4a0b1c2d3e4f5a6b7')).toBe('embeddings-d4d0e4f4…');
    expect(shortId(`main.segmentation.${'ab'.repeat(32)}`)).toBe('abababab…');
    expect(shortId('refresh-2026-11-22')).toBe('refresh-2026-11-22');
  });

  it('a failure is told as what happened and what to do, each once', () => {
    const failure = new AppError('DATASET_EMPTY', { message: 'No event has been recorded yet.' }).toJSON();
    expect(explain(failure)).toEqual({
      what: 'No event has been recorded yet.',
      todo: 'Import events with consents for this purpose first.',
    });
    expect(explain({ code: 'OF_A_NEWER_RELEASE', message: 'Who knows.' })).toEqual({
      what: 'Who knows.',
      todo: undefined,
    });
  });
});

describe('schedules', () => {
  const now = Date.UTC(2026, 10, 22, 10, 34);

  it.each([
    ['10 * * * *', 'UTC', 'every hour at :10 UTC'],
    ['0 3 * * *', 'Asia/Kolkata', 'every day at 03:00 Asia/Kolkata'],
    ['30 4 * * 1', 'UTC', 'every week at Mon 04:30 UTC'],
    ['0 6,18 * * *', 'UTC', 'Sun 18:00, then Mon 06:00 UTC'],
  ])('%s in %s reads "%s"', (cron, timeZone, words) => {
    expect(rhythm(ticksOf(cron, timeZone, now, 5), timeZone)).toBe(words);
  });

  it('have their next ticks in their own time zone, and none before now', () => {
    const ticks = ticksOf('0 3 * * *', 'Asia/Kolkata', now, 2);
    expect(ticks).toEqual([Date.UTC(2026, 10, 22, 21, 30), Date.UTC(2026, 10, 23, 21, 30)]);
  });
});
