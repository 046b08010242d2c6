/** Owns `millrace password`: accounts of the dashboard. */
import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { AppError } from '../../../shared/errors.ts';
import { generatePassword, hashPassword, PASSWORD_LENGTH_MIN } from '../../../shared/governance/password.ts';
import type { Cli } from '../cli.ts';

function longEnough(password: string): string {
  if (password.length >= PASSWORD_LENGTH_MIN) return password;
  throw new AppError('USAGE', { message: `A password needs at least ${PASSWORD_LENGTH_MIN} characters.` });
}

/** One line of standard input, for scripts: `echo ... | millrace password reset --stdin`. */
export async function readPassword(): Promise<string> {
  const lines = createInterface({ input: process.stdin });
  for await (const line of lines) return longEnough(line);
  throw new AppError('USAGE', { message: 'Standard input holds no password.' });
}

export function registerPassword({ program, run }: Cli): void {
  const password = program.command('password').description('accounts of the dashboard');
  password
    .command('reset')
    .description('set a new password for an account; without --stdin one is made and shown once')
    .option('--user <name>', 'the account', 'admin')
    .option('--stdin', 'read the password from standard input')
    .action((options: { user: string; stdin?: boolean }, command: Command) =>
      run(command, async ({ output, store }) => {
        const chosen = options.stdin === true ? await readPassword() : generatePassword();
        const { accounts } = await store();
        const there = await accounts.read(options.user);
        await accounts.write({
          user: options.user,
          passwordHash: await hashPassword(chosen),
          role: there?.role ?? 'admin',
          initial: false,
        });
        const shown = options.stdin === true ? {} : { password: chosen };
        output.result({ user: options.user, ...shown }, () =>
          options.stdin === true
            ? `The password of ${options.user} is set.`
            : `user ${options.user}, password ${chosen}\nIt is not shown again.`,
        );
      }),
    );
}
