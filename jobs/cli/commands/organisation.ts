/** Owns `millrace organisation`: what this deployment says of itself to the people whose consent it asks for. */
import type { Command } from 'commander';
import { AppError } from '../../../shared/errors.ts';
import { organisationSchema } from '../../../shared/governance/organisation.ts';
import { issuesOf } from '../../client/make-job.ts';
import { jsonObject, readText, wholeNumber } from '../arguments.ts';
import type { Cli } from '../cli.ts';

export function registerOrganisation({ program, run }: Cli): void {
  const organisation = program
    .command('organisation')
    .description('who asks for consent: controller, notices, recipients, rights');
  organisation
    .command('show')
    .description('what is said, newest version first')
    .option('--limit <n>', 'at most so many versions', wholeNumber(1, 100), 1)
    .action(({ limit }: { limit: number }, command: Command) =>
      run(command, async ({ config, output, store }) => {
        const versions = await (await store()).organisations.history(config.tenant, limit);
        if (versions.length === 0) throw new AppError('NOTICE_MISSING');
        output.result({ versions }, () =>
          versions.map(
            ({ version, at, said }) =>
              `version ${version}, ${new Date(at).toISOString()}\n${JSON.stringify(said, undefined, 2)}`,
          ),
        );
      }),
    );
  organisation
    .command('set <file>')
    .description('say it anew from a file of JSON: a version more, which consents from now on refer to')
    .action((file: string, _options: unknown, command: Command) =>
      run(command, async ({ config, output, store }) => {
        const parsed = organisationSchema.safeParse(jsonObject(await readText(file), file));
        if (!parsed.success)
          throw new AppError('INPUT_INVALID', {
            message: `${file} does not say who asks for consent.`,
            details: { issues: issuesOf(parsed.error) },
          });
        const set = await (await store()).organisations.set(config.tenant, parsed.data);
        output.result(set, () => `Version ${set.version} is what people are told from now on.`);
      }),
    );
}
