/** Owns `millrace dead-letters`: runs that ended without an effect, why, and giving them back to work. */
import { type Command, InvalidArgumentError } from 'commander';
import { AppError } from '../../../shared/errors.ts';
import { sealRing } from '../../../shared/contract-kit/seal.ts';
import {
  DEAD_LETTERS_MAX,
  type DeadLetter,
  type DeadLetterFilter,
  REDRIVES_MAX,
  redriveAll,
} from '../../client/dead-letters.ts';
import { StoreDesk } from '../../gateway/dead-letter-desk.ts';
import { QueueSet } from '../../gateway/queue-set.ts';
import { contractOf } from '../../registry.ts';
import { wholeNumber } from '../arguments.ts';
import type { Cli } from '../cli.ts';
import { count, EXIT, table } from '../output.ts';
import type { Session } from '../session.ts';

interface FilterOptions {
  readonly kind?: string;
  readonly code?: string;
  readonly since?: Date;
}

const UNITS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `90m`, `2h`, `3d` ago, or a moment as ISO 8601. */
function moment(text: string): Date {
  const [, amount, unit] = /^(\d+)([mhd])$/.exec(text) ?? [];
  const at = unit === undefined ? new Date(text) : new Date(Date.now() - Number(amount) * (UNITS[unit] ?? 0));
  if (Number.isNaN(at.getTime()))
    throw new InvalidArgumentError('must be like 90m, 2h, 3d, or a moment like 2026-01-31T12:00Z.');
  return at;
}

function filterOf({ kind, code, since }: FilterOptions): DeadLetterFilter {
  if (kind !== undefined) contractOf(kind);
  return {
    ...(kind === undefined ? {} : { kind }),
    ...(code === undefined ? {} : { code }),
    ...(since === undefined ? {} : { since }),
  };
}

async function withDesk<T>({ config, store }: Session, work: (desk: StoreDesk) => Promise<T>): Promise<T> {
  await using queues = new QueueSet(config);
  const { tenant } = config;
  const ring = sealRing(config.sealKeys);
  return await work(new StoreDesk({ store: await store(), queueOf: queues.get, ring, tenant, now: Date.now }));
}

const row = ({ endedAt, kind, code, attempts, claims, runKey }: DeadLetter): string[] => [
  new Date(endedAt).toISOString().slice(0, 19),
  kind,
  code,
  `${attempts ?? '?'} attempts`,
  `${claims} claims`,
  runKey,
];

function lines(letter: DeadLetter): string[] {
  const { input, earlierEnds, step } = letter;
  const size = input.bytes === undefined ? '' : `, ${count(input.bytes)} bytes`;
  return [
    letter.message,
    ...table([
      ['  kind', `${letter.kind}, contract version ${letter.contractVersion}`],
      ['  ended', `${new Date(letter.endedAt).toISOString()} as ${letter.state}`],
      [
        '  attempts',
        letter.attempts === undefined ? 'the queue has forgotten it' : `${letter.attempts} of ${letter.attemptsMax}`,
      ],
      ['  claims', String(letter.claims)],
      [
        '  input',
        `${input.claim === undefined ? input.in : `claim ${input.claim}`}${size}, hash ${input.hash.slice(0, 12)}`,
      ],
      ['  redrivable until', new Date(letter.redrivableUntil).toISOString()],
      ...(step === undefined ? [] : [['  step', `${step.step} of ${step.run}`]]),
      ...earlierEnds.map((end) => [
        '  ended before',
        `${new Date(end.endedAt).toISOString()} as ${end.state}, ${end.code}`,
      ]),
    ]),
  ];
}

function withFilter(command: Command): Command {
  return command
    .option('--kind <kind>', 'of one kind')
    .option('--code <code>', 'that ended with that code')
    .option('--since <moment>', 'that ended since: 90m, 2h, 3d, or a moment in ISO 8601', moment);
}

export function registerDeadLetters({ program, run }: Cli): void {
  const group = program.command('dead-letters').description('runs that ended without an effect');
  withFilter(group.command('list').description('dead letters of this tenant, the latest end first'))
    .option('--limit <count>', 'most of them', wholeNumber(1, DEAD_LETTERS_MAX), 20)
    .action((options: FilterOptions & { limit: number }, command: Command) =>
      run(command, (session) =>
        withDesk(session, async (desk) => {
          const { deadLetters } = await desk.page({ ...filterOf(options), limit: options.limit });
          session.output.result(deadLetters, () =>
            deadLetters.length === 0 ? 'There is no dead letter.' : table(deadLetters.map(row)),
          );
        }),
      ),
    );
  group
    .command('show <runKey>')
    .description('why one run ended, where its input lies, and what it went through')
    .action((runKey: string, _options: unknown, command: Command) =>
      run(command, (session) =>
        withDesk(session, async (desk) => {
          const letter = await desk.show(runKey);
          session.output.result(letter, () => lines(letter));
        }),
      ),
    );
  withFilter(
    group
      .command('redrive [runKeys...]')
      .description("give dead letters back to work, named or filtered, once their inputs fit today's contracts"),
  )
    .option('--all', 'every one, where nothing else cuts them down')
    .action((runKeys: string[], options: FilterOptions & { all?: true }, command: Command) =>
      run(command, (session) => withDesk(session, (desk) => redrive(session, desk, runKeys, options))),
    );
}

async function redrive(
  { output, signal }: Session,
  desk: StoreDesk,
  runKeys: readonly string[],
  options: FilterOptions & { readonly all?: true },
): Promise<void> {
  const filter = filterOf(options);
  if (
    runKeys.length > 0
      ? Object.keys(filter).length > 0 || options.all
      : Object.keys(filter).length === 0 && !options.all
  )
    throw new AppError('USAGE', { message: 'Name run keys, or a filter (--kind, --code, --since), or say --all.' });
  const report = await redriveAll(desk, runKeys.length > 0 ? runKeys : filter, {
    signal,
    limit: REDRIVES_MAX,
    onProgress: ({ redriven, running, refused }) =>
      output.note(`${count(redriven)} redriven, ${count(running)} at work already, ${count(refused.length)} refused`),
  });
  output.result(report, () => [
    `${count(report.redriven)} redriven, ${count(report.running)} at work already, ${count(report.refused.length)} refused.`,
    ...report.refused.map(({ runKey, error }) => `  ${runKey}  ${error?.message ?? ''}`),
  ]);
  if (report.refused.length > 0 && report.redriven + report.running === 0) process.exitCode = EXIT.refused;
}
