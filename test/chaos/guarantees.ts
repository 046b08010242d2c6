/** Owns docs/guarantees.md: what is promised, and what a chaos run showed of Millrace and of plain BullMQ side by side. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT_DIR } from '../../shared/config.ts';
import { type Row, ROWS, type Shown } from './rows.ts';
import type { ChaosReport } from './run.ts';
import { countOf, faultsOf, inSeconds, percentile, placesOf, skippedOf } from './verdict.ts';

interface Scenario {
  readonly seed: number;
  readonly seconds: number;
  readonly workers: number;
  readonly counts: { readonly kill: number };
}

const PAGE = join(PROJECT_DIR, 'docs', 'guarantees.md');
const TABLE_HEAD = '| Need | Plain BullMQ | Millrace |';

const linked = (words: string, shown: Shown | undefined): string =>
  shown === undefined ? words : `[${words}](../${shown.file})`;

/** A row of the table, as Markdown. */
export const rowCells = ({ need, plain, plainShown, ours, oursShown }: Row): readonly string[] => [
  need,
  linked(plain, plainShown),
  linked(ours, oursShown),
];

const row = (name: string, of: (report: ChaosReport) => string | number, ours: ChaosReport, plain: ChaosReport) =>
  `| ${name} | ${of(ours)} | ${of(plain)} |`;

function page({ seed, seconds, workers, counts }: Scenario, ours: ChaosReport, plain: ChaosReport): string {
  const rows: [string, (report: ChaosReport) => string | number][] = [
    ['Jobs', ({ jobs }) => jobs],
    ['Faults', faultsOf],
    ['Of these at places', placesOf],
    ['Lost: acknowledged or given up, and no effect', (report) => countOf(report, 'lost')],
    ['Doubled: more than one effect, or one beside a failure', (report) => countOf(report, 'doubled')],
    ['Forgotten by Redis, as it may', ({ forgotten }) => forgotten],
    ['Stuck: not ended', (report) => countOf(report, 'stuck')],
    ['Re-run after SIGKILL, median', ({ recoveriesMs }) => inSeconds(percentile(recoveriesMs, 0.5))],
    ['Re-run after SIGKILL, longest', ({ recoveriesMs }) => inSeconds(percentile(recoveriesMs, 1))],
  ];
  return [
    '# Guarantees',
    '',
    '<!-- Written by `npm run chaos -- --write-docs`; change the code, not this page. -->',
    '',
    'Nothing lost, nothing doubled, nothing stuck: every job that was acknowledged ends in exactly one terminal state, with its',
    'effect exactly once or not at all, as that state says. [lifecycle.md](lifecycle.md) says how.',
    '',
    '## What plain BullMQ does not give',
    '',
    'Each cell with a link is shown by a test: one that sees plain BullMQ fail, and one that sees Millrace hold.',
    '',
    ...table(),
    '',
    '## One chaos run',
    '',
    'Real worker processes are killed, frozen for longer than their locks and cut off, at moments and at named places of a run that',
    'the seed draws; clocks are stepped; Redis is restarted, fails over to its replica by Sentinel, meets a full disk and is',
    'emptied; the store is restarted. Then a checker that shares no code with the runtime reads the stores.',
    '',
    '```',
    `npm run chaos -- --seed ${seed} --seconds ${seconds} --kills ${counts.kill} --workers ${workers} --write-docs`,
    '```',
    '',
    '| | Millrace | Plain BullMQ |',
    '| --- | --- | --- |',
    ...rows.map(([name, of]) => row(name, of, ours, plain)),
    '',
    'Plain BullMQ is a Worker whose processor writes its effect into MongoDB, with five attempts and, to its favour, the same',
    'short lock (6 s, checked every 3 s); its jobs are those of the chaos kinds alone, asked for at the same moments and hit at',
    'the same places. Jobs that it fails as "stalled more than allowable limit" without asking the processor count as lost.',
    '',
    `Not dealt in this run: ${skippedOf(ours)}.`,
    '',
    'The checker itself is tested with three planted bugs, each of which it must find in a run of its own: fencing off, ledger',
    'off, acknowledgement before the commit (`--plant`).',
    '',
    '## What is not promised',
    '',
    '- A job that was added to Redis directly is only as durable as Redis: what a failover loses (the primary died before its replica',
    '  had it) or an emptied Redis forgets is counted above as forgotten. Jobs that are asked for through the outbox are healed by replay.',
    '- Jobs of effect class `none` end in BullMQ alone: an emptied Redis forgets that too.',
    '- A clock that steps ahead puts off the retries that it dates by as much.',
  ].join('\n');
}

function table(): string[] {
  return [TABLE_HEAD, '| --- | --- | --- |', ...ROWS.map((one) => `| ${rowCells(one).join(' | ')} |`)];
}

export function writeGuarantees(scenario: Scenario, ours: ChaosReport, plain: ChaosReport): void {
  write(page(scenario, ours, plain));
}

/** Brings the rows of the page up to date and leaves what the last run showed. */
export function writeRows(): void {
  const lines = readFileSync(PAGE, 'utf8').trimEnd().split('\n');
  const words = (line: string): string => line.replaceAll(/\s+/g, ' ');
  const from = lines.findIndex((line) => words(line) === TABLE_HEAD);
  const length = lines.slice(from).findIndex((line) => !line.startsWith('|'));
  write(lines.toSpliced(from, length, ...table()).join('\n'));
}

function write(text: string): void {
  const biome = join(PROJECT_DIR, 'node_modules', '.bin', 'biome');
  const input = `${text}\n`;
  writeFileSync(PAGE, execFileSync(biome, ['format', `--stdin-file-path=${PAGE}`], { input, encoding: 'utf8' }));
}
