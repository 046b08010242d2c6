/** Owns `millrace quality report`: what came from each source day by day, how far it is to be trusted, and what leapt. */
import type { Command } from 'commander';
import { ALERTS, type DayReport, type SourceReport } from '../../../shared/numerics/quality/source-report.ts';
import { wholeNumber } from '../arguments.ts';
import type { Cli } from '../cli.ts';
import { count, table } from '../output.ts';
import { readSourceReports } from '../../../shared/store/source-reports.ts';

const DAYS_MAX = 400;
const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
const moved = (figure: number | undefined): string => (figure === undefined ? '' : figure.toFixed(2));

const HEAD = ['day', 'events', 'refused', 'repeated', 'late', 'with session', 'types moved', 'values moved', ''];

function dayLine(day: DayReport): string[] {
  const { received, passed, refusedShare, duplicateShare, lateShare, filled, typesMoved, valuesMoved } = day;
  return [
    day.day,
    count(received),
    percent(refusedShare),
    percent(duplicateShare),
    percent(lateShare),
    passed === 0 ? '' : percent(filled.session / passed),
    moved(typesMoved),
    moved(valuesMoved),
    day.alerts.map((alert) => `! ${ALERTS[alert]}`).join('; '),
  ];
}

const refusalsOf = ({ days }: SourceReport): string[] => {
  const sums = new Map<string, number>();
  for (const { refused } of days)
    for (const [name, many] of Object.entries(refused)) sums.set(name, (sums.get(name) ?? 0) + many);
  return [...sums].sort((a, b) => b[1] - a[1]).map(([name, many]) => `  refused: ${name} ${count(many)}`);
};

const titleOf = ({ source, score, standing }: SourceReport): string =>
  Number.isNaN(score) ? `${source}: too little came to tell` : `${source}: ${standing}, ${score.toFixed(2)} of 1`;

const todoOf = ({ source, days }: SourceReport): string[] =>
  days.at(-1)!.alerts.length === 0
    ? []
    : [`  slow it down: millrace limit ingestion --source ${source} --rate 1 --burst 10`];

export function registerQualityReport(quality: Command, run: Cli['run']): void {
  quality
    .command('report')
    .description('what came from each source day by day, how far it is to be trusted, and what leapt')
    .option('--source <name>', 'this source alone')
    .option('--days <n>', 'so many days back', wholeNumber(1, DAYS_MAX), 14)
    .action((options: { source?: string; days: number }, command: Command) =>
      run(command, async ({ config, output, store }) => {
        const all = await readSourceReports(await store(), config.tenant, Date.now(), options.days);
        const reports = all.filter(({ source }) => options.source === undefined || source === options.source);
        output.result({ sources: reports }, () =>
          reports.length === 0
            ? 'Nothing has come in.'
            : reports.flatMap((report) => [
                titleOf(report),
                ...table([HEAD, ...report.days.map(dayLine)]).map((line) => `  ${line}`),
                ...refusalsOf(report),
                ...todoOf(report),
                '',
              ]),
        );
      }),
    );
}
