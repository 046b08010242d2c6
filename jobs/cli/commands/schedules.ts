/** Owns `millrace schedules`: what recurs, and changing it. */
import { type Command, Option } from 'commander';
import { CATCH_UP_DEFAULT, CATCH_UPS } from '../../../shared/contract-kit/envelope.ts';
import type { ListedSchedule } from '../../client/schedules-client.ts';
import { jsonObject, wholeNumber } from '../arguments.ts';
import type { Cli } from '../cli.ts';
import { table } from '../output.ts';
import { parseSchedule } from '../../schedules.ts';

interface SetOptions {
  readonly pipeline: string;
  readonly cron: string;
  readonly timeZone: string;
  readonly params: string;
  readonly catchUp: string;
  readonly catchUpMax: number;
}

/** What a person must know of ticks that did not come at their time. */
export function missedLine({ name, missed, overdue }: ListedSchedule): string | undefined {
  if (overdue !== undefined) return `${name} was due ${new Date(overdue).toISOString()}: no worker took it`;
  if (missed === undefined) return undefined;
  return `${name} missed ${missed.count} up to ${new Date(missed.to).toISOString()}, ${missed.caughtUp} run late`;
}

export function registerSchedules({ program, run }: Cli): void {
  const schedules = program.command('schedules').description('what recurs');
  schedules
    .command('list', { isDefault: true })
    .description('all schedules with their next tick, the outcomes of the last five, and what was missed')
    .action((_options: unknown, command: Command) =>
      run(command, async ({ output, client }) => {
        const found = await client().schedules.list();
        output.result(found, () =>
          found.length === 0
            ? 'There are no schedules.'
            : table(
                found.map((s) => [
                  s.name,
                  s.pipeline,
                  s.cron,
                  s.timeZone,
                  s.next[0] === undefined ? '' : new Date(s.next[0]).toISOString(),
                  s.last.map(({ did, state }) => (did === 'skipped' ? did : (state ?? ''))).join(' '),
                  missedLine(s) ?? '',
                ]),
              ),
        );
      }),
    );
  schedules
    .command('set <name>')
    .description('declare a schedule; declaring the same again changes nothing')
    .requiredOption('--pipeline <name>', 'the pipeline it starts')
    .requiredOption('--cron <fields>', 'minute hour day month weekday')
    .option('--time-zone <zone>', 'IANA time zone', 'UTC')
    .option('--params <json>', 'parameters of the pipeline', '{}')
    .addOption(
      new Option('--catch-up <policy>', 'missed ticks after downtime: none, the latest, or all')
        .choices([...CATCH_UPS])
        .default('latest'),
    )
    .option('--catch-up-max <n>', 'most missed ticks that `all` runs', wholeNumber(1, 1000), CATCH_UP_DEFAULT)
    .action((name: string, options: SetOptions, command: Command) =>
      run(command, async ({ output, client }) => {
        const { pipeline, cron, timeZone, catchUp, catchUpMax } = options;
        const schedule = parseSchedule({
          name,
          pipeline,
          cron,
          timeZone,
          catchUp,
          catchUpMax,
          params: jsonObject(options.params, '--params'),
        });
        await client().schedules.upsert(schedule);
        output.result(schedule, () => `${name}: ${pipeline} at "${cron}" (${timeZone})`);
      }),
    );
  schedules
    .command('remove <name>')
    .description('end a schedule')
    .action((name: string, _options: unknown, command: Command) =>
      run(command, async ({ output, client }) => {
        const removed = await client().schedules.remove(name);
        output.result({ name, removed }, () => (removed ? `${name} is removed.` : `There was no schedule ${name}.`));
      }),
    );
}
