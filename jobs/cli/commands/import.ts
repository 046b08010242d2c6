/** Owns `millrace import`: data sets and files of events, through the queue like everything else. */
import { type Command, Option } from 'commander';
import { type LogRules, logRulesSchema, openAccessLog } from '../../../shared/sources/access-log/index.ts';
import {
  EVENTS_FILE_FORMATS,
  type EventsFile,
  type EventsFileFormat,
  openEventsFile,
} from '../../../shared/sources/events-file/index.ts';
import { fileSizeBytes } from '../../../shared/sources/read-file.ts';
import { sourceNameSchema } from '../../../shared/contract-kit/names.ts';
import { AppError } from '../../../shared/errors.ts';
import { activityStreamRecords } from '../activity-records.ts';
import { eventsFileRecords, type FileRefusals } from '../events-file-records.ts';
import { issuesOf } from '../../client/make-job.ts';
import { feedRecords } from '../feed-records.ts';
import { ImportCursor } from '../import-cursor.ts';
import { purposeList, readText } from '../arguments.ts';
import { movieLensDataSet } from '../data-sets.ts';
import { type LoadReport, loadRecords, type RecordSource } from '../load-records.ts';
import type { Cli } from '../cli.ts';
import { noteMissingWorkers } from '../waiting.ts';
import { count, duration } from '../output.ts';
import { progressBar } from '../progress-bar.ts';
import type { Session } from '../session.ts';

interface Options {
  readonly source?: string;
  readonly purposes: string;
  readonly consents: boolean;
  readonly allowUnknownItems?: boolean;
  readonly format?: EventsFileFormat;
  readonly rules?: string;
}

const waiting = (quarantined: number | undefined): string =>
  quarantined === undefined ? '' : `, ${count(quarantined)} wait (\`millrace quarantine list\`)`;

export function loadReportLines(report: LoadReport, purposes: readonly string[], seconds: string): string[] {
  const { items, people, events, licencedConsents, refusedBy, rejections } = report;
  const why = Object.entries(refusedBy).map(([code, refused]) => `${code} ${count(refused)}`);
  const lines = [
    `${count(events.accepted)} events stored, ${count(events.duplicates)} were there already, ${count(events.rejected)} refused${why.length === 0 ? '' : ` (${why.join(', ')})`}${waiting(events.quarantined)}; ${count(items)} items, ${count(people)} people (${seconds})`,
  ];
  if (licencedConsents > 0)
    lines.push(
      `The data carries no consents of its own: ${count(licencedConsents)} consent records were written on the basis "dataset-licence" for ${purposes.join(', ')}. Narrow them with --purposes.`,
    );
  for (const { of, index, code, field, reason } of rejections)
    lines.push(`  refused ${of} ${index}: ${code}${field === undefined ? '' : ` in ${field}`}: ${reason}`);
  return lines;
}

async function load(session: Session, title: string, records: RecordSource, options: Options): Promise<number> {
  const purposes = options.consents ? purposeList(options.purposes) : [];
  await noteMissingWorkers(session, 'ingestion');
  const bar = progressBar({ title, silent: session.output.json });
  const startedMs = Date.now();
  const report = await loadRecords(session.client(), records, {
    purposes,
    signal: session.signal,
    onProgress: (done, total, label) => bar.update(done, total, label),
  });
  const took = duration(Date.now() - startedMs);
  bar.end(took);
  session.output.result({ source: records.source, ...report }, () => loadReportLines(report, purposes, took));
  return report.people + report.items + report.events.accepted + report.events.duplicates;
}

function checkSource(name: string | undefined): void {
  if (name !== undefined && !sourceNameSchema.safeParse(name).success)
    throw new AppError('USAGE', { message: `--source "${name}": lower-case letters, digits and dashes.` });
}

/** What of a file went in as nothing. Throws INPUT_INVALID when nothing went in and something was refused. */
function tellRefused(
  { output }: Session,
  file: string,
  stored: number,
  { count: rows, lines }: ReturnType<FileRefusals['report']>,
): void {
  if (rows === 0) return;
  output.note([`${rows === 1 ? '1 row' : `${count(rows)} rows`} of ${file} were refused:`, ...lines].join('\n'));
  if (stored === 0)
    throw new AppError('INPUT_INVALID', {
      message: `Nothing of ${file} was stored: ${rows === 1 ? 'its row was' : `all ${count(rows)} rows were`} refused.`,
    });
}

interface FileOfEvents {
  readonly file: string;
  readonly source: string;
  readonly open: Parameters<typeof eventsFileRecords>[0];
  readonly allowUnknownItems: boolean | undefined;
}

/** Loads a file of events from where an earlier import of it was stopped. */
async function loadFile(session: Session, of: FileOfEvents, options: Options): Promise<void> {
  const { file, source, open, allowUnknownItems } = of;
  await fileSizeBytes(file);
  const cursor = new ImportCursor(session.config, file, source);
  if (cursor.from > 0) session.output.note(`Goes on after line ${count(cursor.from)}: what is before it is stored.`);
  const { records, refused } = await eventsFileRecords(open, source, cursor);
  const allow = allowUnknownItems === true ? { allowUnknownItems } : {};
  const stored = await load(session, 'events', { ...records, ...allow }, options);
  cursor.finish();
  tellRefused(session, file, stored + cursor.from, refused());
}

async function logRules(path: string): Promise<LogRules> {
  const text = await readText(path);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new AppError('INPUT_INVALID', { message: `${path} is not valid JSON.`, cause });
  }
  const parsed = logRulesSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new AppError('INPUT_INVALID', {
    message: `${path} holds no rules for a log.`,
    details: { issues: issuesOf(parsed.error) },
  });
}

const PURPOSES_DEFAULT = 'recommendation,segmentation,audit';

export function registerImport({ program, run }: Cli): void {
  const parent = program.command('import').description('load data through the queue');
  const shared = (sub: Command): Command =>
    sub
      .option('--purposes <list>', 'purposes of the consents written for data that carries none', PURPOSES_DEFAULT)
      .option('--no-consents', 'write no consents: only events of people who consented already go in')
      .option('--source <name>', 'name of the source');
  shared(parent.command('movielens <dir>').description('a MovieLens folder: 100K, small, 1M')).action(
    (dir: string, options: Options, sub: Command) =>
      run(sub, async (session) => {
        checkSource(options.source);
        const { title, records } = await movieLensDataSet(dir, session.signal, options.source);
        await load(session, title, records, options);
      }),
  );
  shared(
    parent
      .command('activitystreams <path>')
      .description('ActivityStreams 2.0 documents: a file or a folder of .json, .jsonld, .jsonl, also gzipped'),
  ).action((path: string, options: Options, sub: Command) =>
    run(sub, async (session) => {
      checkSource(options.source);
      const source = options.source ?? 'activitystreams';
      const { records, refused } = await activityStreamRecords(path, source, session.signal);
      const stored = await load(session, 'activities', records, options);
      tellRefused(session, path, stored, refused());
    }),
  );
  shared(parent.command('events <file>').description('canonical events: JSON lines or CSV, also gzipped'))
    .addOption(new Option('--format <format>', 'absent: by the name of the file').choices(EVENTS_FILE_FORMATS))
    .option('--allow-unknown-items', 'take events about items that are not in the catalogue')
    .action((file: string, options: Options, sub: Command) =>
      run(sub, async (session) => {
        checkSource(options.source);
        const source = options.source ?? 'events-file';
        const { format, allowUnknownItems } = options;
        const open = (onProgress: (doneBytes: number) => void): Promise<EventsFile> =>
          openEventsFile(file, {
            source,
            nowMs: Date.now(),
            signal: session.signal,
            onProgress,
            ...(format === undefined ? {} : { format }),
          });
        await loadFile(session, { file, source, open, allowUnknownItems }, options);
      }),
    );
  shared(parent.command('log <file>').description('an access log, common or combined format, also gzipped'))
    .requiredOption('--rules <rules>', 'which requests mean what: a file of JSON')
    .action((file: string, options: Options, sub: Command) =>
      run(sub, async (session) => {
        checkSource(options.source);
        const source = options.source ?? 'access-log';
        const rules = await logRules(options.rules ?? '');
        const open = (onProgress: (doneBytes: number) => void): Promise<EventsFile> =>
          openAccessLog(file, { source, nowMs: Date.now(), rules, signal: session.signal, onProgress });
        await loadFile(session, { file, source, open, allowUnknownItems: true }, options);
      }),
    );
  for (const feed of ['items', 'people'] as const)
    shared(
      parent.command(`${feed} <file>`).description(`a feed of ${feed}: one JSON object a line, also gzipped`),
    ).action((file: string, options: Options, sub: Command) =>
      run(sub, async (session) => {
        checkSource(options.source);
        const of = { feed, source: options.source ?? 'feed', signal: session.signal };
        const { records, refused } = await feedRecords(file, of);
        const stored = await load(session, feed, records, options);
        tellRefused(session, file, stored, refused());
      }),
    );
}
