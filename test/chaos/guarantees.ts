/** Owns docs/guarantees.md: what is promised, and what a chaos run showed of Millrace and of plain BullMQ side by side. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT_DIR } from '../../shared/config.ts';
import type { ChaosReport } from './run.ts';
import { countOf, faultsOf, inSeconds, percentile, skippedOf } from './verdict.ts';

interface Scenario {
  readonly seed: number;
  readonly seconds: number;
  readonly workers: number;
  readonly counts: { readonly kill: number };
}

const row = (name: string, of: (report: ChaosReport) => string | number, ours: ChaosReport, plain: ChaosReport) =>
  `| ${name} | ${of(ours)} | ${of(plain)} |`;

function page({ seed, seconds, workers, counts }: Scenario, ours: ChaosReport, plain: ChaosReport): string {
  const rows: [string, (report: ChaosReport) => string | number][] = [
    ['Jobs', ({ jobs }) => jobs],
    ['Faults', faultsOf],
    ['Lost: acknowledged or given up, and no effect', (report) => countOf(report, 'lost')],
    ['Doubled: more than one effect, or one beside a failure', (report) => countOf(report, 'doubled')],
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
    'effect exactly once or not at all, as that state says. [lifecycle.md](lifecycle.md) says how. This page shows one run of the',
    'proof: real worker processes are killed, frozen for longer than their locks and cut off, servers are restarted, and a',
    'checker that shares no code with the runtime reads the stores afterwards.',
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
    'The checker itself is tested with three planted bugs, all of which it must find: fencing off, ledger off, acknowledgement',
    'before the commit (`--plant`).',
    '',
    `Not dealt in this run: ${skippedOf(ours)}.`,
    '',
    'What Redis forgets because its disk was lost is not covered: jobs that were added directly are then gone.',
  ].join('\n');
}

export function writeGuarantees(scenario: Scenario, ours: ChaosReport, plain: ChaosReport): void {
  const path = join(PROJECT_DIR, 'docs', 'guarantees.md');
  const biome = join(PROJECT_DIR, 'node_modules', '.bin', 'biome');
  const input = `${page(scenario, ours, plain)}\n`;
  writeFileSync(path, execFileSync(biome, ['format', `--stdin-file-path=${path}`], { input, encoding: 'utf8' }));
}
