/** Owns `millrace statistics`: figures about people that tell of no one person. */
import { type Command, Option } from 'commander';
import { EVENT_TYPES, type EventType } from '../../../shared/contract-kit/event-fields.ts';
import { AppError } from '../../../shared/errors.ts';
import { GROUPINGS, STATISTICS } from '../../private-statistics/contract.ts';
import type { InputOf, OutputOf } from '../../registry.ts';
import { aboveZero, moment, wholeNumber } from '../arguments.ts';
import type { Cli } from '../cli.ts';
import { table } from '../output.ts';
import type { Session } from '../session.ts';
import { followJob } from '../waiting.ts';

interface StatisticsOptions {
  readonly release: string;
  readonly dataset?: string;
  readonly by?: (typeof GROUPINGS)[number];
  readonly type?: EventType[];
  readonly from?: number;
  readonly until?: number;
  readonly group?: string[];
  readonly segments?: string;
  readonly epsilon?: number;
  readonly rho?: number;
  readonly cohort?: number;
  readonly maxEvents?: number;
  readonly maxGroups?: number;
  readonly least?: number;
  readonly most?: number;
  readonly grid?: number;
}
type Input = InputOf<'private-statistics'>;
type Protection = Exclude<Input, { statistic: 'answers' }>['protection'];

function protectionOf({ epsilon, rho }: StatisticsOptions): Protection {
  if (epsilon !== undefined && rho !== undefined)
    throw new AppError('USAGE', { message: 'Noise is of an --epsilon or of a --rho, not of both.' });
  if (epsilon !== undefined) return { mechanism: 'laplace', epsilon };
  return rho === undefined ? { mechanism: 'cohort' } : { mechanism: 'gaussian', rho };
}

async function liveDataset({ config, store }: Session): Promise<string> {
  const live = await (await store()).releases.live(config.tenant);
  if (live?.dataset === undefined) throw new AppError('NOT_PUBLISHED');
  return live.dataset;
}

/** Only what was given: the contract has the defaults. */
const given = <T extends object>(options: T): T =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;

async function inputOf(statistic: string, options: StatisticsOptions, session: Session): Promise<Input> {
  const { release, by, type, from, until, group, segments, cohort, maxEvents, maxGroups, least, most, grid } = options;
  const dataset = options.dataset ?? (await liveDataset(session));
  const contribution = given({ events: maxEvents, groups: maxGroups, least, most, grid });
  const asked = { by, types: type, from, until, groups: group, segments, cohortMin: cohort };
  return { statistic, release, dataset, ...given(asked), contribution, protection: protectionOf(options) } as Input;
}

const figure = (value: number): string => String(Math.round(value * 1000) / 1000);

function lines({ groups, suppressed, spent, protection, cohortMin }: OutputOf<'private-statistics'>): string[] {
  const interval = (low: number | null, high: number | null): string =>
    low === null || high === null ? '' : `${figure(low)} to ${figure(high)}`;
  const rows = groups.map(({ group, value, low, high, people }) => [
    group,
    figure(value),
    interval(low, high),
    people === null ? '' : figure(people),
  ]);
  const cost =
    spent === null ? '' : `Spent: rho ${spent.rho}${spent.epsilon === null ? '' : ` (epsilon ${spent.epsilon})`}.`;
  return [
    ...table([['', 'value', '95 % of the noise', 'people'], ...rows]),
    ...(suppressed.length === 0
      ? []
      : [`Not told, fewer than ${cohortMin} people or next to them: ${suppressed.join(', ')}`]),
    `Protected by ${protection}. ${cost}`.trim(),
  ];
}

async function ask(session: Session, input: Input): Promise<void> {
  const job = await session.client().privateStatistics.enqueue(input);
  const told = await followJob(session, 'private-statistics', 'statistics', job);
  session.output.result(told, () => lines(told));
}

export function registerStatistics({ program, run }: Cli): void {
  const statistics = program.command('statistics').description('figures about people that tell of no one person');
  const releaseFlags = ['--release <name>', 'one release is one draw: asked again it is told as it was'] as const;
  statistics
    .command('of <statistic>')
    .description(`${STATISTICS.join(', ')}: by groups, with noise, or from a minimum of people on`)
    .requiredOption(...releaseFlags)
    .option('--dataset <version>', 'version of events; absent: of the live release')
    .addOption(new Option('--by <grouping>', 'the groups').choices(GROUPINGS))
    .addOption(new Option('--type <types...>', 'of these events alone').choices(EVENT_TYPES))
    .option('--from <time>', 'of what happened from then on', moment)
    .option('--until <time>', 'of what happened before', moment)
    .option('--group <names...>', 'the only groups that are wanted')
    .option('--segments <version>', 'version of segments')
    .option('--epsilon <epsilon>', 'Laplace noise of this epsilon', aboveZero)
    .option('--rho <rho>', 'Gaussian noise of this rho', aboveZero)
    .option('--cohort <people>', 'groups of fewer are not told', wholeNumber(0, 1_000_000))
    .option('--max-events <n>', 'events of one person that count', wholeNumber(1, 10_000))
    .option('--max-groups <n>', 'groups that one person counts in', wholeNumber(1, 1_000))
    .option('--least <value>', 'of a sum: a value counts as no less', Number)
    .option('--most <value>', 'of a sum: and as no more', Number)
    .option('--grid <step>', 'of a sum: values are rounded to this', aboveZero)
    .action((statistic: string, options: StatisticsOptions, command: Command) =>
      run(command, async (session) => {
        if (!(STATISTICS as readonly string[]).includes(statistic))
          throw new AppError('INPUT_INVALID', {
            message: `"${statistic}" is no statistic.`,
            details: { field: 'statistic', known: [...STATISTICS] },
          });
        await ask(session, await inputOf(statistic, options, session));
      }),
    );
  statistics
    .command('answers <question>')
    .description('what people answered on their devices, with what chance added taken out again')
    .requiredOption(...releaseFlags)
    .option('--cohort <people>', 'answers of fewer are not told', wholeNumber(2, 1_000_000))
    .action((question: string, { release, cohort }: StatisticsOptions, command: Command) =>
      run(command, (session) =>
        ask(session, { statistic: 'answers', release, question, ...given({ cohortMin: cohort }) }),
      ),
    );
}
