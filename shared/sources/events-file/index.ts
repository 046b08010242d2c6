/** Owns what the rest of the project may use of the file source. */
export type { RowProblem, TimeUnit } from './candidates.ts';
export { type ColumnMapping, EVENT_FIELDS, type EventField } from './columns.ts';
export {
  EVENTS_FILE_FORMATS,
  type EventRow,
  type EventsFile,
  type EventsFileFormat,
  type EventsFileOptions,
  openEventsFile,
} from './events-file.ts';
