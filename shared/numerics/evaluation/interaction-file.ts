/**
 * Owns reading `user item [value] [time]` lines: fields separated by tabs, spaces or commas (one kind in a file is not required),
 * ids any text without those, blank lines, lines starting with # and a header skipped. Errors name file, line and column.
 */
import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { AppError } from '../../errors.ts';

export interface InteractionFile {
  readonly users: readonly string[];
  readonly items: readonly string[];
  /** 1 where the line has none. */
  readonly values: Float64Array;
  /** NaN where the line has none. In the file's own unit. */
  readonly times: Float64Array;
}

/** Bound on lines: ids and offsets stay within 32 bits. */
const LINES_MAX = 2 ** 30;
const SEPARATOR = /[\t ,]+/;
/** Names of the first two columns by which a first line is known as a header: `user_id,item_id`, `userId movieId rating timestamp`. */
const HEADER = [/^"?(user|person|customer|account)[ _-]?(id|key)?"?$/i, /^"?[a-z]+[ _-]?(id|key)?"?$/i] as const;
const isHeader = ([user = '', item = '']: readonly string[]): boolean => HEADER[0].test(user) && HEADER[1].test(item);

/**
 * Reads a file line by line.
 * @throws AppError FILE_NOT_FOUND, or FILE_MALFORMED with `details.file`, `line` and `column` (the field's number, from 1).
 */
export async function readInteractions(
  path: string,
  options: { readonly signed?: boolean } = {},
): Promise<InteractionFile> {
  const users: string[] = [];
  const items: string[] = [];
  const values: number[] = [];
  const times: number[] = [];
  // One string per id instead of one per line: most of a large file's memory.
  const known = new Map<string, string>();
  const intern = (id: string) => {
    const first = known.get(id);
    if (first === undefined) known.set(id, id);
    return first ?? id;
  };
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path);
  } catch (cause) {
    throw notReadable(path, cause);
  }
  let line = 0;
  let begun = false;
  try {
    for await (const text of file.readLines({ encoding: 'utf8' })) {
      line++;
      const trimmed = (line === 1 ? text.replace(/^\uFEFF/, '') : text).trim();
      if (trimmed === '' || trimmed.startsWith('#')) continue;
      const place = { file: path, line };
      const fields = trimmed.split(SEPARATOR);
      if (!begun && isHeader(fields)) continue;
      begun = true;
      if (fields.length < 2)
        throw malformed(place, fields.length + 1, 'the line has fewer than two fields (user item)');
      if (fields.length > 4) throw malformed(place, 5, 'the line has more than four fields (user item value time)');
      if (users.length === LINES_MAX) throw malformed(place, 1, `there are more than ${LINES_MAX} lines`);
      users.push(intern(fields[0]!));
      items.push(intern(fields[1]!));
      values.push(fields[2] === undefined ? 1 : value(fields[2], place, options.signed === true));
      times.push(fields[3] === undefined ? Number.NaN : number(fields[3], place, 4, 'time'));
    }
  } catch (thrown) {
    throw thrown instanceof AppError ? thrown : notReadable(path, thrown);
  } finally {
    await file.close();
  }
  return { users, items, values: Float64Array.from(values), times: Float64Array.from(times) };
}

/**
 * Lines whose value is at least `from`, and the others. Parted in files of explicit ratings, where a low one says "met, not liked"; a pair that
 * comes in both parts counts as liked, as the larger value of a pair counts everywhere.
 */
export function partLikings(
  file: InteractionFile,
  from: number,
): { readonly likings: InteractionFile; readonly others: InteractionFile } {
  if (from === -Infinity) return { likings: file, others: { users: [], items: [], values: EMPTY, times: EMPTY } };
  const where = (liked: boolean): InteractionFile => {
    const lines = [...file.users.keys()].filter((n) => file.values[n]! >= from === liked);
    return {
      users: lines.map((n) => file.users[n]!),
      items: lines.map((n) => file.items[n]!),
      values: Float64Array.from(lines, (n) => file.values[n]!),
      times: Float64Array.from(lines, (n) => file.times[n]!),
    };
  };
  return { likings: where(true), others: where(false) };
}

const EMPTY = new Float64Array(0);

interface Place {
  readonly file: string;
  readonly line: number;
}

function value(text: string, place: Place, signed: boolean): number {
  const parsed = number(text, place, 3, 'value');
  // float32 holds what the kernels read: 1e39 would become infinite there, 1e-50 zero.
  const kept = Math.fround(parsed);
  if (!Number.isFinite(kept)) throw malformed(place, 3, `the value ${text} is too large`);
  if (kept === 0) throw malformed(place, 3, `the value ${text} is 0: leave out what did not happen`);
  if (kept < 0 && !signed) throw malformed(place, 3, `the value ${text} is below 0`);
  return parsed;
}

function number(text: string, place: Place, column: number, what: string): number {
  const parsed = Number(text);
  if (text === '' || !Number.isFinite(parsed))
    throw malformed(place, column, `the ${what} ${JSON.stringify(text)} is not a number`);
  return parsed;
}

function malformed({ file, line }: Place, column: number, why: string): AppError {
  return new AppError('FILE_MALFORMED', {
    message: `${basename(file)}, line ${line}, column ${column}: ${why}.`,
    details: { file, line, column },
  });
}

function notReadable(path: string, cause: unknown): AppError {
  const why = (cause as { code?: string }).code;
  return new AppError('FILE_NOT_FOUND', {
    message: `${path} cannot be read${why === undefined ? '' : ` (${why})`}.`,
    details: { file: path },
    cause,
  });
}
