/** Facts about reading CSV and lines: what is kept, what is reported, and where reading goes on. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type CsvRow, readCsv, splitRecord } from './read-csv.ts';
import { LINE_BYTES_MAX, type Line, readLines } from './read-file.ts';

async function fileOf(content: string | Uint8Array, name = 'x.csv'): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'millrace-csv-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const path = join(dir, name);
  await writeFile(path, content);
  return path;
}

async function rowsOf(content: string | Uint8Array, name?: string): Promise<CsvRow[]> {
  const rows: CsvRow[] = [];
  for await (const batch of readCsv(await fileOf(content, name))) rows.push(...batch);
  return rows;
}

async function linesOf(content: string | Uint8Array): Promise<Line[]> {
  const lines: Line[] = [];
  for await (const batch of readLines(await fileOf(content), { encoding: 'utf8' })) lines.push(...batch);
  return lines;
}

describe('readCsv', () => {
  test('reads back whatever was quoted by the rules', async () => {
    const field = fc.string({ unit: fc.constantFrom('a', 'é', ',', '"', '\n', ' ', '1') });
    const table = fc.array(fc.array(field, { minLength: 2, maxLength: 3 }), { minLength: 1, maxLength: 5 });
    const checked = fc.assert(
      fc.asyncProperty(table, async (records) => {
        const quote = (text: string): string => `"${text.replaceAll('"', '""')}"`;
        const text = records.map((record) => record.map(quote).join(',')).join('\n');
        expect((await rowsOf(text)).map((row) => row.fields)).toEqual(records);
      }),
      { numRuns: 100, seed: 2 },
    );
    await expect(checked).resolves.toBeUndefined();
  });

  test('knows the lines on which records begin, and passes over a BOM and empty lines', async () => {
    expect(await rowsOf('\u{FEFF}a,b\r\n1,"x\ny"\r\n\r\n2,z')).toEqual([
      { line: 1, fields: ['a', 'b'] },
      { line: 2, fields: ['1', 'x\ny'] },
      { line: 5, fields: ['2', 'z'] },
    ]);
  });

  test('reports a bad record and goes on with the very next line', async () => {
    const rows = await rowsOf('1,a"b\n2,"a"b\n3,"never\n4,ok\n5,ok\n6,ok');
    expect(rows.map((row) => [row.line, row.problem === undefined])).toEqual([
      [1, false],
      [2, false],
      [3, false],
      [4, true],
      [5, true],
      [6, true],
    ]);
    expect(rows[2]?.problem).toContain('never closed');
  });

  test('reports bytes that are not UTF-8 and records without end, in bounded memory', async () => {
    const rows = await rowsOf(Buffer.from('1,\xe9\n2,ok\n', 'latin1'));
    expect(rows.map((row) => row.problem === undefined)).toEqual([false, true]);
    const long = await rowsOf(`1,"${'x'.repeat(3 * LINE_BYTES_MAX)}"\n3,4\n`);
    expect(long).toEqual([
      { line: 1, fields: [], column: 1, problem: expect.stringContaining('longer than') as string },
      { line: 2, fields: ['3', '4'] },
    ]);
  });

  test('unpacks .gz and refuses what does not unpack with a coded error', async () => {
    const packed = gzipSync('a,b\n1,2\n');
    expect(await rowsOf(packed, 'x.csv.gz')).toHaveLength(2);
    await expect(rowsOf('a,b\n', 'x.csv.gz')).rejects.toMatchObject({ code: 'FILE_MALFORMED' });
    await expect(rowsOf(packed.subarray(0, -9), 'x.csv.gz')).rejects.toMatchObject({ code: 'FILE_MALFORMED' });
  });

  test('takes any bytes without crashing and never hands out more rows than lines', async () => {
    const bytes = fc.array(
      fc.oneof(
        fc.uint8Array({ maxLength: 8 }),
        fc.constantFrom('"', ',', '\n').map((t) => Buffer.from(t)),
      ),
    );
    const checked = fc.assert(
      fc.asyncProperty(bytes, async (pieces) => {
        const content = Buffer.concat(pieces);
        const newlines = content.filter((byte) => byte === 10).length;
        expect((await rowsOf(content)).length).toBeLessThanOrEqual(newlines + 1);
      }),
      { numRuns: 200, seed: 4 },
    );
    await expect(checked).resolves.toBeUndefined();
  });

  test('splits by another delimiter too', () => {
    expect(splitRecord('a\t"b\tc"\t', '\t')).toEqual({ fields: ['a', 'b\tc', ''] });
  });
});

describe('readLines', () => {
  test('gives every line once, whatever the chunks, with or without a last newline', async () => {
    const text = Array.from({ length: 60_000 }, (_, i) => `line ${i} é`).join('\n');
    const lines = await linesOf(text);
    expect(lines).toHaveLength(60_000);
    expect(lines.every((line, i) => line.text === `line ${i} é` && line.number === i + 1)).toBe(true);
    expect(await linesOf('a\n')).toHaveLength(1);
    expect(await linesOf('')).toHaveLength(0);
  });

  test('a missing file is FILE_NOT_FOUND', async () => {
    const reading = readLines(join(await fileOf(''), 'nothing'), { encoding: 'utf8' }).next();
    await expect(reading).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
  });
});
