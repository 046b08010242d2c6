/** Owns `millrace link` and `millrace unlink`: that two names are one person, or that a profile belongs to an account. */
import { type Command, Option } from 'commander';
import { PURPOSES } from '../../../shared/contract-kit/purposes.ts';
import { AppError } from '../../../shared/errors.ts';
import { IDENTITY_RELATIONS, type IdentityRelation } from '../../../shared/store/ports.ts';
import { issuesOf } from '../../client/make-job.ts';
import { identitySchema, sayIdentity } from '../../gateway/identities.ts';
import { purposeList } from '../arguments.ts';
import type { Cli } from '../cli.ts';

interface Options {
  readonly relation: IdentityRelation;
  readonly purposes: string;
  readonly receipt?: string;
}

export function registerLinks({ program, run }: Cli): void {
  const register = (name: string, state: 'given' | 'withdrawn', description: string): void => {
    program
      .command(`${name} <alias> <user>`)
      .description(description)
      .addOption(
        new Option('--relation <relation>', 'what they are').choices(IDENTITY_RELATIONS).default('same-person'),
      )
      .option('--purposes <list>', 'for which purposes', PURPOSES.join(','))
      .option('--receipt <id>', 'what the person holds of it')
      .action((alias: string, user: string, options: Options, command: Command) =>
        run(command, async ({ config, output, store }) => {
          const { purposes, ...rest } = options;
          const parsed = identitySchema.safeParse({ alias, user, state, purposes: purposeList(purposes), ...rest });
          if (!parsed.success) throw new AppError('INPUT_INVALID', { details: { issues: issuesOf(parsed.error) } });
          const stands = await sayIdentity(await store(), config.tenant, parsed.data, Date.now());
          output.result({ stands }, () => (stands ? `From the next run on: ${description}.` : 'A later word stands.'));
        }),
      );
  };
  register('link', 'given', 'the two are read as one person (or as profile and account)');
  register('unlink', 'withdrawn', 'the two are read apart');
}
