/**
 * Owns the import of a big access log that is stopped on its way: so many jobs are let through by the declared rate of the source, the import
 * waits there for more, and is killed. So the kill comes between two batches and never at the end, on whatever machine.
 */
import { createWriteStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { setQueueLimit } from '../../jobs/client/queue-limits.ts';
import { kill, type User } from './as-a-user.ts';

const SOURCE = 'access-log';
const PEOPLE = 100;

/** Long names: two jobs take a thousand events then. */
const PADDING = '-'.repeat(100);
/** Jobs that take in so many events, and the consents before them. */
const jobsOf = (events: number): number => 1 + Math.round(events / 500);

/** A line each, no two alike, a hundred people; in pieces of a thousand. */
function* logLines(events: number): Generator<string> {
  let piece = '';
  for (let n = 0; n < events; n++) {
    const day = String((n % 28) + 1).padStart(2, '0');
    const time = `${day}/Mar/2025:${String(n % 24).padStart(2, '0')}:00:00 +0000`;
    piece += `198.51.100.7 - person-${n % PEOPLE} [${time}] "GET /watch/v${n}${PADDING} HTTP/1.1" 200 512\n`;
    if (n % 1_000 !== 999) continue;
    yield piece;
    piece = '';
  }
  yield piece;
}

export interface BigLog {
  /** Of the command that imports it. */
  readonly args: readonly string[];
  readonly events: number;
}

export async function writeLog(folder: string, events: number, gzip = false): Promise<BigLog> {
  const path = join(folder, gzip ? 'access.log.gz' : 'access.log');
  const lines = Readable.from(logLines(events));
  if (gzip) await pipeline(lines, createGzip({ level: 1 }), createWriteStream(path));
  else await pipeline(lines, createWriteStream(path));
  const rules = join(folder, 'rules.json');
  await writeFile(rules, JSON.stringify([{ path: '/watch/:item', type: 'view', value: 100 }]));
  return { args: ['import', 'log', path, '--rules', rules], events };
}

/** Line after which an import says that it goes on; 0: from the start. */
function goesOnAfter(said: string): number {
  return Number(/Goes on after line ([\d,]+)/.exec(said)?.[1]?.replaceAll(',', '') ?? 0);
}

export interface Stop {
  /** Share that the bar had shown, and events in the store then. */
  readonly shown: number;
  readonly stored: number;
  readonly goesOnAfter: number;
}

/** Share of the file by which an import has come on before it is killed: more than is read ahead, and than lies between two writes of where it is. */
const COME_ON = 0.15;

/**
 * Lets so many events through, and kills once the bar has come on; once for each entry. Then lets it go to its end. The events must carry the
 * bar so far, and not to the end.
 */
export async function importWithStops(
  user: User,
  { args, events }: BigLog,
  letThrough: readonly number[],
): Promise<{
  readonly stops: readonly Stop[];
  readonly last: { code: number | null; said: string; goesOnAfter: number };
}> {
  const { redis, prefix, store } = user.services;
  const allow = (rate: { perSecond: number; burst: number } | null): Promise<void> =>
    setQueueLimit(redis, prefix, 'ingestion', { tenant: 'main', source: SOURCE, rate });
  const stops: Stop[] = [];
  let shown = 0;
  for (const [n, count] of letThrough.entries()) {
    // A rate that differs has an account of its own: each stop lets its own jobs through.
    await allow({ perSecond: 0.001 + n / 10_000, burst: jobsOf(count) });
    const load = user.start('jobs/cli/bin.mjs', args);
    do shown = Number(/ (\d0) %/.exec(await load.line(/ \d0 %/))![1]) / 100;
    while (shown < goesOnAfter(load.said()) / events + COME_ON);
    const stored = await store.events.count('main');
    await kill(load);
    stops.push({ shown, stored, goesOnAfter: goesOnAfter(load.said()) });
  }
  await allow(null);
  const { code, stderr, stdout } = await user.millrace(...args);
  const said = stderr + stdout;
  return { stops, last: { code, said, goesOnAfter: goesOnAfter(said) } };
}
