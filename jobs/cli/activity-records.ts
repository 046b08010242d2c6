/** Owns loading ActivityStreams files: people, items and events as a data set, refused documents as lines for people. */
import { openActivityStreams, type SocialRecord } from '../../shared/sources/activitystreams/index.ts';
import { fileRefusals, type FileRefusals } from './events-file-records.ts';
import type { RecordSource } from './load-records.ts';

const BATCH = 1_000;

/** Throws what opening the files throws: FILE_NOT_FOUND. Files are read once for each kind of record, so that none is kept in memory. */
export async function activityStreamRecords(
  path: string,
  source: string,
  signal: AbortSignal,
): Promise<{ readonly records: RecordSource; readonly refused: FileRefusals['report'] }> {
  const files = await openActivityStreams(path, { nowMs: Date.now(), signal });
  const refusals = fileRefusals();
  let done = 0;
  const onBytes = (bytes: number): void => void (done += bytes);
  async function* only<T>(pick: (record: SocialRecord) => T | undefined, isLast = false): AsyncGenerator<T[]> {
    let batch: T[] = [];
    for await (const { file, line, record } of files.records(onBytes)) {
      if (isLast && 'refused' in record) refusals.add(`${file}, line ${line}`, record.refused);
      const picked = pick(record);
      if (picked === undefined) continue;
      batch.push(picked);
      if (batch.length < BATCH) continue;
      yield batch;
      batch = [];
    }
    if (batch.length > 0) yield batch;
  }
  return {
    records: {
      source,
      items: only((record) => ('item' in record ? record.item : undefined)),
      people: only((record) => ('person' in record ? record.person : undefined)),
      events: only((record) => ('event' in record ? record.event : undefined), true),
      total: 0,
      progress: () => ({ done, total: files.sizeBytes * 3 }),
      // What people share lies mostly elsewhere: its name came along or did not.
      allowUnknownItems: true,
    },
    refused: refusals.report,
  };
}
