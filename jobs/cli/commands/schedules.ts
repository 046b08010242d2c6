/** Owns `millrace schedules`: what recurs, and changing it. */
import type { Command } from 'commander';
import { jsonObject } from '../arguments.ts';
import type { Cli } from '../cli.ts';
import { table } from '../output.ts';
import { parseSchedule } from '../../schedules.ts';

interface SetOptions {
  readonly pipeline: string;
  readonly cron: string;
  readonly timeZone: string;
  readonly params: string;
}

export function registerSchedules({ program, run }: Cli): void {
  const schedules = program.command('schedules').description('what recurs');
  schedules
    .command('list', { isDefault: true })
    .description('all schedules with their next tick')
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
    .action((name: string, options: SetOptions, command: Command) =>
      run(command, async ({ output, client }) => {
        const { pipeline, cron, timeZone } = options;
        const schedule = parseSchedule({
          name,
          pipeline,
          cron,
          timeZone,
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
