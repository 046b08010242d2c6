/** Where an import goes on: wherever it was killed, and in whatever order its batches ended, nothing is left out, and the bar says no more than is stored. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import type { Config } from '../../shared/config.ts';
import type { EventRow, EventsFile } from '../../shared/sources/events-file/index.ts';
import type { Millrace } from '../client/index.ts';
import { eventsFileRecords } from './events-file-records.ts';
import { ImportCursor } from './import-cursor.ts';
import { loadRecords } from './load-records.ts';

const LINE_BYTES = 10;
const SOURCE = 'events-file';

/** A file of so many lines, every seventh of which is none; read in pieces, each told when the one before it is used up. */
function fileOf(lines: number, piece: number): (onProgress: (done: number) => void) => Promise<EventsFile> {
  const rowOf = (line: number): EventRow =>
    line % 7 === 0
      ? { line, error: { code: 'FILE_MALFORMED', reason: 'no event' } }
      : { line, event: { id: `e${line}`, type: 'click', user: 'u', item: 'v', occurredAt: line } };
  return async (onProgress) => ({
    format: 'jsonl',
    sizeBytes: lines * LINE_BYTES,
    async *rows() {
      for (let from = 0; from < lines; from += piece) {
        const to = Math.min(lines, from + piece);
        onProgress(to * LINE_BYTES);
        for (let line = from + 1; line <= to; line++) yield rowOf(line);
      }
    },
  });
}

/** A client whose batches end when they are let; after the kill none does, and nothing is enqueued. */
function clientOf(stored: Map<string, number>, endsBeforeKill: number, next: (waiting: number) => number) {
  const waiting: (() => void)[] = [];
  const killed = Promise.withResolvers<never>();
  killed.promise.catch(() => {});
  let ended = 0;
  /** Lets one of the waiting batches end: in any order, as workers do. */
  const turn = (): void => {
    if (waiting.length === 0) return;
    if (ended === endsBeforeKill) {
      killed.reject(new Error('killed'));
      return;
    }
    ended += 1;
    waiting.splice(next(waiting.length), 1)[0]!();
    setImmediate(turn);
  };
  const enqueue = async ({ events }: { events: readonly { id: string }[] }) => ({
    done: () => {
      const over = new Promise<object>((resolve) => {
        waiting.push(() => {
          for (const { id } of events) stored.set(id, (stored.get(id) ?? 0) + 1);
          resolve({ accepted: events.length, duplicates: 0, rejected: [] });
        });
      });
      setImmediate(turn);
      return Promise.race([over, killed.promise]);
    },
  });
  return { ingestion: { enqueue } } as unknown as Millrace;
}

/** Any other failure is one. */
function unlessKilled(thrown: unknown): void {
  if (!(thrown instanceof Error) || thrown.message !== 'killed') throw thrown;
}

test('goes on after a kill at any place without a gap, and its progress is what is stored', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'millrace-cursor-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const path = join(dir, 'events.jsonl');
  await writeFile(path, '');
  let file = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 40_000 }),
      fc.integer({ min: 300, max: 9_000 }),
      fc.array(fc.nat(45), { maxLength: 3 }),
      fc.infiniteStream(fc.nat(5)),
      async (lines, piece, kills, order) => {
        const config = { stateDir: dir, database: `d${file++}`, tenant: 'main' } as Config;
        const stored = new Map<string, number>();
        const run = async (endsBeforeKill: number): Promise<void> => {
          const cursor = new ImportCursor(config, path, SOURCE);
          // Everything up to where it goes on is stored.
          const left = Array.from({ length: cursor.from }, (_, n) => n + 1).filter(
            (at) => at % 7 !== 0 && !stored.has(`e${at}`),
          );
          expect(left).toEqual([]);
          const { records } = await eventsFileRecords(fileOf(lines, piece), SOURCE, cursor);
          const client = clientOf(stored, endsBeforeKill, (waiting) => order.next().value! % waiting);
          let line = 1;
          const onProgress = (done: number): void => {
            for (; line <= done / LINE_BYTES; line++)
              if (line % 7 !== 0 && !stored.has(`e${line}`)) throw new Error(`the bar was past line ${line}`);
          };
          const purposes: [] = [];
          await loadRecords(client, records, { purposes, signal: new AbortController().signal, onProgress });
          cursor.finish();
        };
        for (const ends of kills) await run(ends).catch(unlessKilled);
        await run(Number.POSITIVE_INFINITY);
        expect(stored.size).toBe(lines - Math.floor(lines / 7));
        // An import that came to its end is begun anew.
        expect(new ImportCursor(config, path, SOURCE).from).toBe(0);
      },
    ),
    { numRuns: 25, endOnFailure: true },
  );
});

test('a file that has changed since is read from its start', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'millrace-cursor-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const path = join(dir, 'events.jsonl');
  const config = { stateDir: dir, database: 'd', tenant: 'main' } as Config;
  await writeFile(path, 'x');
  const cursor = new ImportCursor(config, path, SOURCE);
  cursor.mark({ events: 6_000, line: 7_000, bytes: 1 });
  cursor.stored(6_000);
  expect(new ImportCursor(config, path, SOURCE).from).toBe(7_000);
  expect(new ImportCursor(config, path, 'another').from).toBe(0);
  await writeFile(path, 'xy');
  expect(new ImportCursor(config, path, SOURCE).from).toBe(0);
});
