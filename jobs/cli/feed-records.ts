/** Owns loading a feed of items or of people, one JSON object a line: good ones as a data set, the others as lines for people. */
import {
  type CatalogueItem,
  checkRecord,
  itemSchema,
  type Person,
  personSchema,
} from '../../shared/contract-kit/event.ts';
import { fileSizeBytes, readLines } from '../../shared/sources/read-file.ts';
import { fileRefusals, type FileRefusals } from './events-file-records.ts';
import type { RecordSource } from './load-records.ts';

const SCHEMAS = { items: itemSchema, people: personSchema } as const;
export type Feed = keyof typeof SCHEMAS;

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Throws FILE_NOT_FOUND. */
export async function feedRecords(
  path: string,
  { feed, source, signal }: { readonly feed: Feed; readonly source: string; readonly signal: AbortSignal },
): Promise<{ readonly records: RecordSource; readonly refused: FileRefusals['report'] }> {
  const sizeBytes = await fileSizeBytes(path);
  const refusals = fileRefusals();
  let done = 0;
  async function* good(): AsyncGenerator<(CatalogueItem | Person)[]> {
    const read = { signal, onBytes: (bytes: number): void => void (done += bytes), encoding: 'utf8' as const };
    for await (const lines of readLines(path, read)) {
      const batch: (CatalogueItem | Person)[] = [];
      for (const { number, text, problem } of lines) {
        if (problem === undefined && text.trim() === '') continue;
        const value = problem === undefined ? parsed(text) : undefined;
        const checked = checkRecord<CatalogueItem | Person>(SCHEMAS[feed], value, number);
        if (checked.ok) batch.push(checked.value);
        else if (value === undefined)
          refusals.add(`line ${number}`, { code: 'FILE_MALFORMED', reason: problem ?? 'is not valid JSON' });
        else refusals.add(`line ${number}`, checked.rejection);
      }
      yield batch;
    }
  }
  const records: RecordSource = {
    source,
    events: [],
    ...(feed === 'items'
      ? { items: good() as AsyncGenerator<CatalogueItem[]> }
      : { people: good() as AsyncGenerator<Person[]> }),
    total: 0,
    progress: () => ({ done, total: sizeBytes }),
  };
  return { records, refused: refusals.report };
}
