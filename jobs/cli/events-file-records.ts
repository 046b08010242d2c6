/** Owns loading a file of events: its good rows as a data set, its bad rows as lines for people. */
import { type EventsFileFormat, openEventsFile } from '../../shared/sources/events-file/index.ts';
import type { CanonicalEvent } from '../../shared/contract-kit/event.ts';
import type { RecordSource } from './load-records.ts';

const BATCH = 1_000;
const PROBLEMS_SHOWN_MAX = 20;

export interface EventsFileRecords {
  readonly records: RecordSource;
  /** Lines about the rows that were refused, once everything was read. */
  readonly refused: FileRefusals['report'];
}

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

/** Throws what opening the file throws: FILE_NOT_FOUND, FILE_MALFORMED (header), INPUT_INVALID (format). */
export async function eventsFileRecords(
  path: string,
  source: string,
  signal: AbortSignal,
  format?: EventsFileFormat,
): Promise<EventsFileRecords> {
  let bytes = { done: 0, total: 0 };
  const file = await openEventsFile(path, {
    source,
    nowMs: Date.now(),
    signal,
    ...(format === undefined ? {} : { format }),
    onProgress: (done, total) => (bytes = { done, total }),
  });
  const refusals = fileRefusals();
  async function* events(): AsyncGenerator<CanonicalEvent[]> {
    let batch: CanonicalEvent[] = [];
    for await (const row of file.rows()) {
      if ('error' in row) {
        refusals.add(`line ${row.line}`, row.error);
        continue;
      }
      batch.push(row.event);
      if (batch.length < BATCH) continue;
      yield batch;
      batch = [];
    }
    if (batch.length > 0) yield batch;
  }
  return {
    records: { source, events: events(), total: 0, progress: () => bytes },
    refused: refusals.report,
  };
}
