/** Owns `millrace features`: which features there are, and what was known of people at a moment. Shows data of one person in the clear. */
import { type FileHandle, open } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import { z } from 'zod';
import { timestampSchema } from '../../../shared/contract-kit/event.ts';
import { FEATURE_VIEWS, type FeatureView } from '../../../shared/contract-kit/feature-views.ts';
import { AppError } from '../../../shared/errors.ts';
import { FEATURE_KINDS, type ViewDeclaration } from '../../../shared/numerics/features/define-view.ts';
import { VIEWS } from '../../../shared/numerics/features/registry.ts';
import { type Line, malformed, readLines } from '../../../shared/sources/read-file.ts';
import { featuresAsOf, placeAsOf, viewHistory } from '../../../shared/store/feature-history.ts';
import type { Store } from '../../../shared/store/ports.ts';
import { moment, wholeNumber } from '../arguments.ts';
import type { Cli } from '../cli.ts';
import { count, table } from '../output.ts';
import { registerFeaturesSkew } from './features-skew.ts';

const LAST_MAX = 20;
const when = (ms: number): string => new Date(ms).toISOString();
const viewOption = (): Option => new Option('--view <view>', 'one view').choices(FEATURE_VIEWS);

interface Shown {
  readonly view: FeatureView;
  /** The moment that the values speak of. */
  readonly knownAt: string;
  readonly features: Readonly<Record<string, number | null>>;
}

/** What was known of a person at a moment, and at the moments before it, the newest first. */
async function shown(
  store: Store,
  tenant: string,
  { user, view, asOf, last }: { user: string; view: FeatureView; asOf: number; last: number },
): Promise<Shown[]> {
  const [subject] = store.people.keys(tenant, [user]);
  const history = await viewHistory(store, tenant, view);
  const place = placeAsOf(history, asOf);
  const moments = history.slice(Math.max(0, place + 1 - last), place + 1).map((version) => version.asOf);
  const subjects = Buffer.concat(moments.map(() => subject!));
  const { names, matrix, knownAt } = await featuresAsOf(store, tenant, view, {
    subjects,
    at: Float64Array.from(moments),
  });
  const rows = moments.map((_, row) => {
    const values = names.map((name, column) => [name, valueOf(matrix[row * names.length + column]!)]);
    return { view, at: knownAt[row]!, features: Object.fromEntries(values) as Shown['features'] };
  });
  return rows
    .filter(({ at }) => !Number.isNaN(at))
    .map(({ at, ...rest }) => ({ ...rest, knownAt: when(at) }))
    .toReversed();
}

const valueOf = (value: number): number | null => (Number.isNaN(value) ? null : value);
const figure = (value: number | null | undefined): string =>
  value === null || value === undefined ? '-' : value.toFixed(3);

function linesOf(view: FeatureView, rows: readonly Shown[]): string[] {
  const { title, features } = VIEWS[view];
  const head = ['', ...rows.map(({ knownAt }) => knownAt), ''];
  const lines = Object.entries(features).map(([name, { says }]) => [
    name,
    ...rows.map((row) => figure(row.features[name])),
    says,
  ]);
  return [`${view}: ${title}`, ...table([head, ...lines]), ''];
}

function registerList(features: Command, run: Cli['run']): void {
  features
    .command('list')
    .description('every feature with its version, kind, what it is made of, and how far one source may move it')
    .addOption(viewOption())
    .action((options: { view?: FeatureView }, command: Command) =>
      run(command, async ({ output }) => {
        const views = FEATURE_VIEWS.filter((view) => options.view === undefined || view === options.view);
        const declared = Object.fromEntries(views.map((view) => [view, VIEWS[view]]));
        output.result(declared, () => [
          ...views.flatMap((view) => {
            const { title, version, needs, features: all }: ViewDeclaration = VIEWS[view];
            const made = [needs.events === 'acts' ? 'acts' : needs.events.join(', '), ...needs.reads].join(', ');
            const rows = Object.entries(all).map(([name, { kind, cap, says }]) => [name, kind, cap, says]);
            return [`${view}, version ${version}: ${title} (of ${made})`, ...table(rows), ''];
          }),
          ...table(Object.entries(FEATURE_KINDS)),
        ]);
      }),
    );
}

function registerShow(features: Command, run: Cli['run']): void {
  features
    .command('show <user>')
    .description('what was known of a person at a moment: only of what had occurred and been recorded by then')
    .addOption(viewOption())
    .option('--as-of <time>', 'the moment, ISO 8601 or ms since 1970; else now', moment)
    .option('--last <n>', 'so many moments back', wholeNumber(1, LAST_MAX), 1)
    .action((user: string, options: { view?: FeatureView; asOf?: number; last: number }, command: Command) =>
      run(command, async ({ config, output, store }) => {
        const { tenant } = config;
        const { asOf = Date.now(), last } = options;
        const views = FEATURE_VIEWS.filter((view) => options.view === undefined || view === options.view);
        const rows: Shown[] = [];
        for (const view of views) rows.push(...(await shown(await store(), tenant, { user, view, asOf, last })));
        if (rows.length === 0)
          throw new AppError('NOT_FOUND', {
            message: 'Nothing was known of this person then: `millrace run refresh-features` builds what is known now.',
          });
        output.result(rows, () =>
          views.flatMap((view) => {
            const own = rows.filter((row) => row.view === view);
            return own.length === 0 ? [] : linesOf(view, own);
          }),
        );
      }),
    );
}

const rowSchema = z.looseObject({ user: z.string().min(1), at: timestampSchema });
type TrainingRow = z.output<typeof rowSchema>;
/** Rows that are joined at once. */
const JOINED_ROWS = 20_000;

function parsedRow(file: string, { number: line, text, problem }: Line): TrainingRow {
  const parsed = problem === undefined ? rowSchema.safeParse(json(text)) : undefined;
  if (parsed?.success === true) return parsed.data;
  throw malformed({ file, line, column: 1, reason: problem ?? 'is not an object with "user" and "at"' });
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function* rowsOf(path: string, signal: AbortSignal): AsyncGenerator<TrainingRow[]> {
  let rows: TrainingRow[] = [];
  for await (const lines of readLines(path, { signal, encoding: 'utf8' }))
    for (const line of lines) {
      if (line.problem === undefined && line.text.trim() === '') continue;
      rows.push(parsedRow(path, line));
      if (rows.length < JOINED_ROWS) continue;
      yield rows;
      rows = [];
    }
  if (rows.length > 0) yield rows;
}

/** The rows with what was known of their people at their moments. */
async function joined(
  store: Store,
  tenant: string,
  view: FeatureView,
  rows: readonly TrainingRow[],
): Promise<object[]> {
  const keys = store.people.keys(
    tenant,
    rows.map(({ user }) => user),
  );
  const moments = { subjects: Buffer.concat(keys), at: Float64Array.from(rows, ({ at }) => at) };
  const { names, matrix, knownAt } = await featuresAsOf(store, tenant, view, moments);
  return rows.map((row, n) => ({
    ...row,
    knownAt: Number.isNaN(knownAt[n]!) ? null : when(knownAt[n]!),
    features: Object.fromEntries(names.map((name, column) => [name, valueOf(matrix[n * names.length + column]!)])),
  }));
}

async function created(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'w', 0o600);
  } catch (cause) {
    throw new AppError('FILE_NOT_FOUND', { message: `${path} cannot be written.`, details: { file: path }, cause });
  }
}

function registerJoin(features: Command, run: Cli['run']): void {
  features
    .command('join <file>')
    .description('rows of a JSONL file, each with "user" and "at", with what was known of that person at that moment')
    .addOption(viewOption().makeOptionMandatory())
    .requiredOption('--out <file>', 'where the rows go, with the features beside what they held')
    .action((path: string, options: { view: FeatureView; out: string }, command: Command) =>
      run(command, async ({ config, output, store, signal }) => {
        const opened = await store();
        await using file = await created(options.out);
        let rows = 0;
        for await (const batch of rowsOf(path, signal)) {
          const lines = await joined(opened, config.tenant, options.view, batch);
          await file.write(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
          rows += batch.length;
        }
        output.result(
          { rows, out: options.out },
          () => `${count(rows)} rows written to ${options.out}. This file holds personal data in the clear.`,
        );
      }),
    );
}

export function registerFeatures({ program, run }: Cli): void {
  const features = program.command('features').description('what is known of people, and when it was known');
  registerList(features, run);
  registerShow(features, run);
  registerJoin(features, run);
  registerFeaturesSkew(features, run);
}
