/** Facts about reading event files: good rows go on, bad ones say where and why, headers are strict. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { derivedEventId } from '../../contract-kit/event.ts';
import { AppError } from '../../errors.ts';
import { simulate } from '../simulated/index.ts';
import { type EventRow, type EventsFileOptions, openEventsFile } from './index.ts';

const NOW_MS = Date.UTC(2026, 0, 1);
const AT_MS = Date.UTC(2025, 5, 1);
const OPTIONS: EventsFileOptions = { source: 'files', nowMs: NOW_MS };

async function fileOf(name: string, content: string | Uint8Array): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'millrace-events-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const path = join(dir, name);
  await writeFile(path, content);
  return path;
}

async function rowsOf(
  name: string,
  content: string | Uint8Array,
  options: Partial<EventsFileOptions> = {},
): Promise<EventRow[]> {
  const file = await openEventsFile(await fileOf(name, content), { ...OPTIONS, ...options });
  const rows: EventRow[] = [];
  for await (const row of file.rows()) rows.push(row);
  return rows;
}

const eventsOf = (rows: EventRow[]): unknown[] => rows.flatMap((row) => ('event' in row ? [row.event] : []));
const errorsOf = (rows: EventRow[]): unknown[] =>
  rows.flatMap((row) => ('error' in row ? [{ line: row.line, ...row.error }] : []));

describe('JSONL', () => {
  test('reads back a simulated log, plain and packed, as it was', async () => {
    const events = [...simulate({ people: 40, videos: 60, days: 3, events: 1_000 }).events()];
    const text = events.map((event) => JSON.stringify(event)).join('\n');
    expect(eventsOf(await rowsOf('log.jsonl', text))).toEqual(events);
    expect(eventsOf(await rowsOf('log.ndjson.gz', gzipSync(text)))).toEqual(events);
  });

  test('an event without an id gets one from its source and content', async () => {
    const event = { type: 'click', user: 'u', item: 'i', occurredAt: AT_MS } as const;
    const [row] = await rowsOf('a.jsonl', JSON.stringify(event));
    expect(row).toEqual({ line: 1, event: { id: derivedEventId('files', event), ...event } });
  });

  test('bad lines are reported with line, field and reason, and the good ones go on', async () => {
    const good = JSON.stringify({ type: 'click', user: 'u', item: 'i', occurredAt: AT_MS });
    const rows = await rowsOf(
      'a.jsonl',
      [
        good,
        '{"type":"click",',
        '[1]',
        '',
        '{"type":"click","user":"u","itme":"i","occurredAt":1}',
        '{"type":"click","user":7,"item":"i","occurredAt":1}',
        '{"type":"view","user":"u","item":"i","occurredAt":1}',
        `{"type":"click","user":"u","item":"i","occurredAt":${NOW_MS + 3_600_000}}`,
        '{"type":"click","user":"u","item":"i","itemId":"j","occurredAt":1}',
        '{"__proto__":{"type":"click"},"user":"u"}',
        good,
      ].join('\n'),
    );
    expect(eventsOf(rows)).toHaveLength(2);
    expect(errorsOf(rows)).toMatchObject([
      { line: 2, code: 'FILE_MALFORMED', column: 17 },
      { line: 3, code: 'FILE_MALFORMED', column: 1 },
      {
        line: 5,
        code: 'EVENT_INVALID',
        field: 'itme',
        reason: expect.stringContaining('did you mean "item"') as string,
      },
      { line: 6, code: 'EVENT_INVALID', field: 'user' },
      { line: 7, code: 'EVENT_INVALID', field: 'value', reason: 'a view needs a value' },
      { line: 8, code: 'EVENT_IN_FUTURE', field: 'occurredAt' },
      { line: 9, code: 'EVENT_INVALID', field: 'item' },
      { line: 10, code: 'EVENT_INVALID', field: '__proto__' },
    ]);
  });
});

describe('CSV', () => {
  test('reads usual spellings, a mapping, defaults, ISO times and seconds when told so', async () => {
    const rows = await rowsOf('a.csv', 'user_id,Movie,rating,timestamp,junk\n1,10,4.5,881250949,x\n', {
      mapping: { Movie: 'item', junk: '' },
      defaults: { type: 'rating' },
      timeUnit: 's',
    });
    expect(eventsOf(rows)).toMatchObject([
      { type: 'rating', user: '1', item: '10', value: 4.5, occurredAt: 881_250_949_000 },
    ]);
    const iso = await rowsOf('b.tsv', 'type\tuser\titem\toccurredAt\nclick\tu\ti\t2025-06-01T05:30:00+05:30\n');
    expect(eventsOf(iso)).toMatchObject([{ occurredAt: AT_MS }]);
  });

  test('an unknown column is refused before the first row, with the nearest known one', async () => {
    const reading = rowsOf('a.csv', 'type,user,itm,occurredAt\nclick,u,i,1\n');
    await expect(reading).rejects.toMatchObject({
      code: 'FILE_MALFORMED',
      details: { line: 1, column: 3, field: 'itm', nearest: 'item' },
    });
    await expect(reading).rejects.toThrow('did you mean "item"');
  });

  test('a header that lacks or repeats a field is refused', async () => {
    await expect(rowsOf('a.csv', 'type,user\n')).rejects.toThrow(/no column for occurredAt/);
    await expect(rowsOf('a.csv', 'type,user,user_id,time\n')).rejects.toThrow(/column 3: a second column for "user"/);
    await expect(rowsOf('a.csv', '')).rejects.toThrow(/FILE_MALFORMED.*empty/);
  });

  test('wrong types and ragged rows are reported by line and column; the good rows go on', async () => {
    const rows = await rowsOf(
      'a.csv',
      [
        'type,user,item,value,occurredAt,position',
        `view,u,i,50,${AT_MS},`,
        `view,u,i,half,${AT_MS},`,
        `view,u,i,50,yesterday,`,
        `view,u,i,50,881250949,`,
        `view,u,i,150,${AT_MS},`,
        `view,u,i,50,${AT_MS}`,
        `view,u,"i`,
        `glance,u,i,50,${AT_MS},`,
        `view,u,i,50,${AT_MS},2.5`,
        `view,u,i,60,${AT_MS},2`,
      ].join('\n'),
    );
    expect(eventsOf(rows)).toMatchObject([{ value: 50 }, { value: 60, position: 2 }]);
    expect(errorsOf(rows)).toMatchObject([
      {
        line: 3,
        code: 'EVENT_INVALID',
        field: 'value',
        column: 4,
        reason: expect.stringContaining('"half"') as string,
      },
      { line: 4, code: 'EVENT_INVALID', field: 'occurredAt', column: 5 },
      { line: 5, code: 'EVENT_INVALID', column: 5, reason: expect.stringContaining('seconds') as string },
      { line: 6, code: 'EVENT_INVALID', field: 'value', column: 4 },
      { line: 7, code: 'FILE_MALFORMED', reason: 'expected 6 fields, found 5' },
      { line: 8, code: 'FILE_MALFORMED', column: 3 },
      { line: 9, code: 'EVENT_INVALID', field: 'type', column: 1 },
      { line: 10, code: 'EVENT_INVALID', field: 'position', column: 6 },
    ]);
  });
});

describe('openEventsFile', () => {
  test('refuses a missing file, an unknown format and a mapping to no field', async () => {
    const path = await fileOf('a.txt', '');
    await expect(openEventsFile(`${path}.csv`, OPTIONS)).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
    await expect(openEventsFile(path, OPTIONS)).rejects.toMatchObject({ code: 'INPUT_INVALID' });
    await expect(openEventsFile(join(path, '..'), { ...OPTIONS, format: 'csv' })).rejects.toThrow(/not a file/);
    const mapping = { a: 'itme' as 'item' };
    await expect(openEventsFile(path, { ...OPTIONS, format: 'csv', mapping })).rejects.toThrow(/did you mean "item"/);
  });

  test('reports progress up to the bytes of the file, packed or not, and can be read twice', async () => {
    const line = `${JSON.stringify({ type: 'click', user: 'u', item: 'i', occurredAt: AT_MS })}\n`;
    for (const [name, content] of [
      ['a.jsonl', Buffer.from(line.repeat(10_000))],
      ['a.jsonl.gz', gzipSync(line.repeat(10_000))],
    ] as const) {
      const calls: [number, number][] = [];
      const onProgress = (done: number, total: number): void => void calls.push([done, total]);
      const file = await openEventsFile(await fileOf(name, content), { ...OPTIONS, onProgress });
      for (let time = 0; time < 2; time++) {
        let count = 0;
        for await (const row of file.rows()) count += 'event' in row ? 1 : 0;
        expect(count).toBe(10_000);
        expect(calls.at(-1)).toEqual([content.length, content.length]);
      }
    }
  });

  test('stops with CANCELLED when the signal is aborted', async () => {
    await expect(rowsOf('a.jsonl', '{}\n', { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'CANCELLED',
    });
  });

  test('any bytes give events, row errors or a coded error', async () => {
    const words = [
      'type',
      'user',
      'item',
      'occurredAt',
      'value',
      ',',
      '\n',
      '"',
      '{',
      '}',
      ':',
      'view',
      '1',
      '{"a":',
      '[[',
      'null',
    ];
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 10 }),
      fc.constantFrom(...words).map((text) => Buffer.from(text)),
    );
    const header = fc.constantFrom('', 'type,user,item,value,occurredAt\n');
    const name = fc.constantFrom('a.jsonl', 'a.csv', 'a.tsv', 'a.csv.gz', 'b.csv.gz');
    const dir = await mkdtemp(join(tmpdir(), 'millrace-events-'));
    onTestFinished(() => rm(dir, { recursive: true, force: true }));
    const checked = fc.assert(
      fc.asyncProperty(name, header, fc.array(piece, { maxLength: 30 }), async (file, first, pieces) => {
        const content = Buffer.concat([Buffer.from(first), ...pieces]);
        const path = join(dir, file);
        await writeFile(path, file === 'b.csv.gz' ? gzipSync(content) : content);
        try {
          const opened = await openEventsFile(path, OPTIONS);
          for await (const row of opened.rows()) if (!(row.line >= 1)) return false;
          return true;
        } catch (thrown) {
          return thrown instanceof AppError && thrown.code === 'FILE_MALFORMED';
        }
      }),
      { numRuns: 500, seed: 6 },
    );
    await expect(checked).resolves.toBeUndefined();
  });
});
