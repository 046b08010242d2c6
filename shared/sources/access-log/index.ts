/**
 * Owns reading access logs, plain or gzip: a line that a rule matches and that names a person is an event, one that is malformed
 * is told with its place, and all others are passed over. Addresses of machines are never taken for people, nor kept.
 */
import { checkEvent, derivedEventId } from '../../contract-kit/event.ts';
import type { EventRow, EventsFile } from '../events-file/index.ts';
import { fileSizeBytes, type Line, readLines } from '../read-file.ts';
import { Sessions } from '../sessions.ts';
import { deviceOf, readLogLine } from './line.ts';
import { type LogRules, ruleMatcher } from './rules.ts';

export { type LogRules, logRulesSchema } from './rules.ts';

export interface AccessLogOptions {
  /** Goes into the ids of events. */
  readonly source: string;
  readonly nowMs: number;
  readonly rules: LogRules;
  readonly signal?: AbortSignal;
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
}

/** Throws FILE_NOT_FOUND. A log has no ids: equal requests of one person within a second are one event. */
export async function openAccessLog(path: string, options: AccessLogOptions): Promise<EventsFile> {
  const { source, nowMs, rules, signal, onProgress } = options;
  const sizeBytes = await fileSizeBytes(path);
  const match = ruleMatcher(rules);
  const rowOf = ({ number: line, text, problem }: Line, sessions: Sessions): EventRow | undefined => {
    if (text.trim() === '' && problem === undefined) return undefined;
    const request = problem === undefined ? readLogLine(text) : { reason: problem };
    if (request === undefined) return undefined;
    if ('reason' in request) return { line, error: { code: 'FILE_MALFORMED', reason: request.reason, column: 1 } };
    const found = match(request);
    const user = found?.user ?? request.user;
    if (found === undefined || user === undefined) return undefined;
    const session = sessions.of(user as string, request.atMs);
    const candidate = { session, ...found, user, occurredAt: request.atMs, device: deviceOf(request.agent) };
    const checked = checkEvent(candidate, line, nowMs);
    if (checked.ok) return { line, event: { id: derivedEventId(source, checked.value), ...checked.value } };
    const { code, field, reason } = checked.rejection;
    const shown = code === 'EVENT_IN_FUTURE' ? code : 'EVENT_INVALID';
    return { line, error: { code: shown, reason, ...(field === undefined ? {} : { field }) } };
  };
  async function* rows(): AsyncGenerator<EventRow> {
    let done = 0;
    const sessions = new Sessions(source);
    const onBytes = (bytes: number): void => onProgress?.((done += bytes), sizeBytes);
    for await (const lines of readLines(path, { signal, onBytes, encoding: 'utf8' }))
      for (const line of lines) {
        const row = rowOf(line, sessions);
        if (row !== undefined) yield row;
      }
  }
  return { format: 'log', sizeBytes, rows };
}
