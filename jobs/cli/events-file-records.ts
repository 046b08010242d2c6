/** Owns loading a file of events: its good rows as a data set, its bad rows as lines for people, from where an earlier run was stopped. */
import type { EventsFile } from '../../shared/sources/events-file/index.ts';
import type { CanonicalEvent } from '../../shared/contract-kit/event.ts';
import type { ImportCursor } from './import-cursor.ts';
import type { RecordSource } from './load-records.ts';

const BATCH = 1_000;
const PROBLEMS_SHOWN_MAX = 20;

export interface FileRefusals {
  readonly add: (place: string, problem: { code: string; field?: string | undefined; reason: string }) => void;
  readonly report: () => { readonly count: number; readonly lines: readonly string[] };
}

/** Counts what was refused of a file, and keeps the first lines about it. */
export function fileRefusals(): FileRefusals {
  const lines: string[] = [];
  let count = 0;
  return {
    add(place, { code, field = '', reason }) {
      count += 1;
      if (lines.length < PROBLEMS_SHOWN_MAX)
        lines.push(`  ${place}: ${code}${field === '' ? '' : ` in ${field}`}: ${reason}`);
    },
    report: () => ({ count, lines: count > lines.length ? [...lines, `  and ${count - lines.length} more`] : lines }),
  };
}

export interface EventsFileRecords {
  readonly records: RecordSource;
  /** Lines about the rows that were refused, once everything was read. */
  readonly refused: FileRefusals['report'];
}

/** `open` throws FILE_NOT_FOUND, FILE_MALFORMED (header), INPUT_INVALID (format). Progress tells what is stored, not what was read. */
export async function eventsFileRecords(
  open: (onProgress: (doneBytes: number) => void) => Promise<EventsFile>,
  source: string,
  cursor: ImportCursor,
): Promise<EventsFileRecords> {
  /** Bytes read before the piece that the rows at hand come from, and before the next, which may have been read ahead. */
  let [before, ahead, read] = [0, 0, 0];
  const file = await open((done) => {
    [before, ahead, read] = [ahead, read, done];
  });
  const refusals = fileRefusals();
  async function* events(): AsyncGenerator<CanonicalEvent[]> {
    let batch: CanonicalEvent[] = [];
    let events = 0;
    for await (const row of file.rows()) {
      if (row.line <= cursor.from) continue;
      if ('error' in row) {
        refusals.add(`line ${row.line}`, row.error);
        continue;
      }
      batch.push(row.event);
      if (batch.length < BATCH) continue;
      events += batch.length;
      cursor.mark({ events, line: row.line, bytes: before });
      yield batch;
      batch = [];
    }
    if (batch.length > 0) yield batch;
  }
  return {
    records: {
      source,
      events: events(),
      total: 0,
      progress: () => ({ done: cursor.bytes, total: file.sizeBytes }),
      onStored: (count) => cursor.stored(count),
    },
    refused: refusals.report,
  };
}
