/** Owns `millrace account`: who may log in at the dashboard, and as what. */
import { type Command, Option } from 'commander';
import { AppError } from '../../../shared/errors.ts';
import { generatePassword, hashPassword } from '../../../shared/governance/password.ts';
import { type Role, ROLES } from '../../../shared/governance/roles.ts';
import type { Account, Accounts } from '../../../shared/store/ports.ts';
import type { Cli } from '../cli.ts';
import { table } from '../output.ts';
import { readPassword } from './password.ts';

/** A name as it stands in sessions and in the trail. */
const NAME = /^[A-Za-z0-9._@-]{1,100}$/;

async function existing(accounts: Accounts, user: string): Promise<Account> {
  const found = await accounts.read(user);
  if (found !== undefined) return found;
  throw new AppError('NOT_FOUND', { message: `There is no account "${user}".` });
}

/** Somebody must be left who can do everything. */
async function keepAnAdmin(accounts: Accounts, { user, role }: Account): Promise<void> {
  const others = (await accounts.list()).filter((one) => one.user !== user && one.role === 'admin');
  if (role === 'admin' && others.length === 0)
    throw new AppError('USAGE', { message: `"${user}" is the last admin: make another one first.` });
}

const roleOption = (): Option => new Option('--role <role>', 'what they may do').choices(ROLES).makeOptionMandatory();

export function registerAccount({ program, run }: Cli): void {
  const account = program.command('account').description('who may log in at the dashboard, and as what');
  account
    .command('create <name>')
    .description('make an account; without --stdin a password is made and shown once')
    .addOption(roleOption())
    .option('--stdin', 'read the password from standard input')
    .action((user: string, { role, stdin }: { role: Role; stdin?: boolean }, command: Command) =>
      run(command, async ({ output, store }) => {
        if (!NAME.test(user))
          throw new AppError('USAGE', { message: 'A name has letters, digits, dots, dashes and @.' });
        const { accounts } = await store();
        if ((await accounts.read(user)) !== undefined)
          throw new AppError('USAGE', { message: `There is an account "${user}" already.` });
        const password = stdin === true ? await readPassword() : generatePassword();
        await accounts.write({ user, role, passwordHash: await hashPassword(password), initial: false });
        const shown = stdin === true ? {} : { password };
        output.result({ user, role, ...shown }, () =>
          stdin === true
            ? `${user} may log in as ${role}.`
            : `user ${user}, password ${password}, role ${role}\nIt is not shown again.`,
        );
      }),
    );
  account
    .command('list')
    .description('accounts and their roles')
    .action((_options: unknown, command: Command) =>
      run(command, async ({ output, store }) => {
        const found = (await (await store()).accounts.list()).map(({ user, role }) => ({ user, role }));
        output.result({ accounts: found }, () =>
          found.length === 0 ? ['There is no account.'] : table(found.map(({ user, role }) => [user, role])),
        );
      }),
    );
  account
    .command('change <name>')
    .description('give an account another role; it holds from the next request on')
    .addOption(roleOption())
    .action((user: string, { role }: { role: Role }, command: Command) =>
      run(command, async ({ output, store }) => {
        const { accounts } = await store();
        const found = await existing(accounts, user);
        if (role !== 'admin') await keepAnAdmin(accounts, found);
        await accounts.write({ ...found, role });
        output.result({ user, role }, () => `${user} is ${role} now.`);
      }),
    );
  account
    .command('remove <name>')
    .description('end an account and its sessions')
    .action((user: string, _options: unknown, command: Command) =>
      run(command, async ({ output, store }) => {
        const { accounts } = await store();
        await keepAnAdmin(accounts, await existing(accounts, user));
        await accounts.remove(user);
        output.result({ user, removed: true }, () => `${user} can log in no more.`);
      }),
    );
}
