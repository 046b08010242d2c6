/** Owns `millrace source`: what each declared source may be used for, and mapping tables for versions of their records. */
import type { Command } from 'commander';
import { AppError } from '../../../shared/errors.ts';
import { sourceNameSchema } from '../../../shared/contract-kit/names.ts';
import { eventMappingSchema, SCHEMA_NAME } from '../../../shared/sources/mapping.ts';
import { SOURCES, type SourceDeclaration, UNDECLARED } from '../../../shared/sources/registry.ts';
import { issuesOf } from '../../client/make-job.ts';
import { jsonObject, readText } from '../arguments.ts';
import type { Cli } from '../cli.ts';
import { registerSourceScales } from './source-scales.ts';

function linesOf(source: SourceDeclaration): string[] {
  const { name, title, licence, purposes, reliability, influenceMax, rate, perPerson, retentionDays, eventTypes } =
    source;
  return [
    `${name}  ${title}`,
    `  licence      ${licence.name}: ${licence.terms}`,
    `  purposes     ${purposes.join(', ')}`,
    `  reliability  ${reliability}; at most ${Math.round(influenceMax * 100)} % of a feature, and of what is learned`,
    `  rate         ${rate === null ? 'as fast as the queue takes it' : `${rate.perSecond} batches a second, ${rate.burst} at once`}`,
    `  a person     ${perPerson === null ? 'as many events as there are' : `${perPerson.events.toLocaleString('en')} events in ${perPerson.minutes} minutes; more are held`}`,
    `  kept         ${retentionDays === null ? 'until withdrawn or erased' : `${retentionDays} days`}`,
    `  gives        ${eventTypes.join(', ')}`,
  ];
}

function registerMap(source: Command, run: Cli['run']): void {
  source
    .command('map <name> <schema> <file>')
    .description('say what a version of a source’s records means: a mapping table as JSON')
    .action((name: string, schema: string, file: string, _options: unknown, command: Command) =>
      run(command, async ({ config, output, store }) => {
        if (!sourceNameSchema.safeParse(name).success || !SCHEMA_NAME.test(schema))
          throw new AppError('USAGE', { message: `"${name}" or "${schema}" is no name of a source or a version.` });
        const parsed = eventMappingSchema.safeParse(jsonObject(await readText(file), file));
        if (!parsed.success)
          throw new AppError('INPUT_INVALID', {
            message: `${file} is no mapping table.`,
            details: { issues: issuesOf(parsed.error) },
          });
        await (await store()).mappings.write(config.tenant, name, schema, parsed.data);
        output.result({ source: name, schema, mapping: parsed.data }, () => [
          `Version ${schema} of ${name} is known now. \`millrace quarantine release --source ${name}\` sends what was held.`,
        ]);
      }),
    );
}

export function registerSource({ program, run }: Cli): void {
  const source = program.command('source').description('where signals come from, and on what terms');
  source
    .command('list')
    .description('every declared source with its terms, purposes, limits and trust, and the mapping tables added')
    .action((_options: unknown, command: Command) =>
      run(command, async ({ config, output, store }) => {
        const added = await (await store()).mappings.list(config.tenant);
        const sources = [...SOURCES, UNDECLARED];
        output.result({ sources, added }, () => [
          ...sources.flatMap((one) => [...linesOf(one), '']),
          ...added.map(({ source, schema }) => `added: version ${schema} of ${source}`),
        ]);
      }),
    );
  registerSourceScales(source, run);
  registerMap(source, run);
}
