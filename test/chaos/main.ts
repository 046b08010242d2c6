/**
 * Owns `npm run chaos -- --seed N --seconds S [--kills N | --faults NAME=COUNT,...] [--workers N] [--jobs-per-second N]
 * [--plant NAME] [--plain] [--write-docs] [--verbose]`, and `--write-rows`.
 * The last line is the verdict; the exit code is 1 on a violation.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { defaultCounts, FAULTS, parseCounts } from './faults.ts';
import { writeGuarantees, writeRows } from './guarantees.ts';
import { PLANTS } from './plants.ts';
import { type ChaosOptions, type ChaosReport, runChaos } from './run.ts';

import { progressBar } from '../../jobs/cli/progress-bar.ts';
import { simulateConsent, tellConsent } from '../simulation/run.ts';
import { openServers } from './servers.ts';
import { tellRun, verdictOf } from './verdict.ts';

const SETTLE_MS_MAX = 120_000;

const USAGE = [
  'npm run chaos -- [--seed N] [--seconds S] [--kills N | --faults NAME=COUNT,...] [--workers N] [--jobs-per-second N]',
  `                 [--plant ${PLANTS.join('|')}] [--plain] [--write-docs] [--verbose]`,
  'npm run chaos -- --consent [--seed N] [--executions N]',
  'npm run chaos -- --write-rows',
  '',
  'Kills, freezes and cuts off real worker processes and their servers, then judges what is in the stores. The last line is the',
  'verdict; the exit code is 1 on a violation, 2 for a wrong argument. --write-docs writes docs/guarantees.md, --write-rows its',
  'first table alone, without a run. --consent runs jobs in simulated worlds instead, against what people had said.',
  `Faults: ${FAULTS.join(', ')}.`,
].join('\n');

function readArguments() {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: '1' },
      seconds: { type: 'string', default: '60' },
      kills: { type: 'string' },
      faults: { type: 'string' },
      workers: { type: 'string', default: '3' },
      'jobs-per-second': { type: 'string', default: '12' },
      plant: { type: 'string' },
      plain: { type: 'boolean', default: false },
      'write-docs': { type: 'boolean', default: false },
      'write-rows': { type: 'boolean', default: false },
      consent: { type: 'boolean', default: false },
      executions: { type: 'string', default: '100000' },
      verbose: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    process.exit(0);
  }
  if (values['write-rows']) {
    writeRows();
    process.exit(0);
  }
  const whole = (
    name: 'seed' | 'seconds' | 'kills' | 'workers' | 'jobs-per-second' | 'executions',
    min: number,
  ): number => {
    const value = Number(values[name]);
    if (Number.isSafeInteger(value) && value >= min) return value;
    throw new RangeError(`--${name} takes a whole number from ${min}`);
  };
  const plant = PLANTS.find((name) => name === values.plant);
  if (values.plant !== undefined && plant === undefined) throw new RangeError(`--plant is one of ${PLANTS.join(', ')}`);
  const seconds = whole('seconds', 1);
  return {
    seed: whole('seed', 0),
    ...(values.consent && { consent: whole('executions', 1) }),
    seconds,
    workers: whole('workers', 1),
    jobsPerSecond: whole('jobs-per-second', 1),
    counts:
      values.faults === undefined
        ? defaultCounts(seconds, values.kills === undefined ? undefined : whole('kills', 0))
        : parseCounts(values.faults),
    ...(plant === undefined ? {} : { plant }),
    isPlainToo: values.plain || values['write-docs'],
    writesDocs: values['write-docs'],
    verbose: values.verbose,
  };
}

function argumentsOrExit(): ReturnType<typeof readArguments> {
  try {
    return readArguments();
  } catch (thrown) {
    if (!(thrown instanceof TypeError || thrown instanceof RangeError)) throw thrown;
    console.error(`USAGE: ${thrown.message}\n\n${USAGE}`);
    return process.exit(2);
  }
}

async function judgeConsent(seed: number, executions: number): Promise<boolean> {
  const bar = progressBar({ title: 'consent' });
  const onProgress = (done: number): void => bar.update(done, executions, 'executions');
  const report = await simulateConsent({ seed, executions, onProgress });
  bar.end('judged');
  for (const line of tellConsent(seed, report)) console.log(line);
  return report.violations.length === 0;
}

async function main(): Promise<boolean> {
  const { isPlainToo, writesDocs, consent, ...scenario } = argumentsOrExit();
  if (consent !== undefined) return judgeConsent(scenario.seed, consent);
  const folder = mkdtempSync(join(tmpdir(), 'millrace-chaos-'));
  try {
    await using servers = await openServers(folder, process.env.MONGODB_URL);
    const one = async (subject: ChaosOptions['subject']): Promise<ChaosReport> => {
      const name = `chaos_${process.pid}_${subject}`;
      const bar = progressBar({ title: subject === 'plain' ? 'plain BullMQ' : 'Millrace' });
      const onProgress = (share: number, what: string) => bar.update(share, 1, what);
      const own = { settleMsMax: SETTLE_MS_MAX, subject, servers, folder: join(folder, subject), name, onProgress };
      const report = await runChaos({ ...scenario, ...own });
      bar.end('judged');
      console.log(
        `\n${subject === 'plain' ? 'Plain BullMQ' : 'Millrace'}, seed ${scenario.seed}, ${scenario.seconds} s`,
      );
      for (const line of tellRun(report)) console.log(line);
      return report;
    };
    const plain = isPlainToo ? await one('plain') : undefined;
    const ours = await one('millrace');
    if (scenario.verbose || ours.fleet.crashes > 0) process.stderr.write(ours.stderr);
    if (plain !== undefined && writesDocs) writeGuarantees(scenario, ours, plain);
    if (plain !== undefined) console.log(`\nplain BullMQ: ${verdictOf(scenario.seed, plain)}`);
    console.log(verdictOf(scenario.seed, ours));
    return ours.violations.length === 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

process.exit((await main()) ? 0 : 1);
