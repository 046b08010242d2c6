/** Owns `millrace key`: API keys for the gateway. A secret is shown once; the store keeps a hash. */
import { type Command, Option } from 'commander';
import { AppError } from '../../../shared/errors.ts';
import { permissionsOf, type Role, ROLES } from '../../../shared/governance/roles.ts';
import { type ApiKey, KEY_SCOPES, type KeyScope } from '../../../shared/store/ports.ts';
import { moment } from '../arguments.ts';
import type { Cli } from '../cli.ts';
import { table } from '../output.ts';

function scopesOf(texts: readonly string[]): KeyScope[] {
  const names = texts.flatMap((text) => text.split(',')).map((name) => name.trim());
  const unknown = names.filter((name) => !(KEY_SCOPES as readonly string[]).includes(name));
  if (unknown.length > 0)
    throw new AppError('USAGE', {
      message: `Unknown scopes: ${unknown.join(', ')}.`,
      details: { known: [...KEY_SCOPES] },
    });
  return [...new Set(names)] as KeyScope[];
}

interface CreateOptions {
  readonly scope?: string[];
  readonly role?: Role;
  readonly expires?: number;
  readonly name: string;
}

function stateOf({ revokedAt, expiresAt }: ApiKey): string {
  if (revokedAt !== undefined) return 'revoked';
  if (expiresAt === undefined) return 'active';
  return `${expiresAt <= Date.now() ? 'expired' : 'active until'} ${new Date(expiresAt).toISOString()}`;
}

export function registerKey({ program, run }: Cli): void {
  const key = program.command('key').description('API keys for the gateway');
  key
    .command('create')
    .description('make a key; its secret is shown once')
    .option('--scope <scope...>', `what the key may do: ${KEY_SCOPES.join(', ')}`)
    .addOption(new Option('--role <role>', 'or all that a role may do with a key').choices(ROLES))
    .option('--expires <time>', 'it is no key any more from then on', moment)
    .option('--name <name>', 'what the key is for', 'cli')
    .action((options: CreateOptions, command: Command) =>
      run(command, async ({ config, output, store }) => {
        const { role, expires } = options;
        if ((role === undefined) === (options.scope === undefined))
          throw new AppError('USAGE', { message: 'A key needs --scope, or --role.' });
        if (expires !== undefined && expires <= Date.now())
          throw new AppError('USAGE', { message: 'A key cannot expire in the past.' });
        const scopes = scopesOf(options.scope ?? []);
        const more = { ...(role && { role }), ...(expires !== undefined && { expiresAt: expires }) };
        const { apiKeys } = await store();
        const { key: made, secret } = await apiKeys.create(config.tenant, options.name, scopes, more);
        output.result({ id: made.id, scopes: permissionsOf(made), ...more, secret }, () => [
          `Key ${made.id} (${made.role ?? made.scopes.join(', ')})`,
          secret,
          'This secret is not shown again. Send it as `authorization: Bearer SECRET`.',
        ]);
      }),
    );
  key
    .command('list')
    .description('the keys of this tenant, without their secrets')
    .action((_options: unknown, command: Command) =>
      run(command, async ({ config, output, store }) => {
        const keys = await (await store()).apiKeys.list(config.tenant);
        output.result(keys, () =>
          keys.length === 0
            ? 'There are no keys. Make one with `millrace key create --scope events:write`.'
            : table(
                keys.map((k) => [
                  k.id,
                  k.name,
                  k.role ?? k.scopes.join(','),
                  new Date(k.createdAt).toISOString(),
                  stateOf(k),
                ]),
              ),
        );
      }),
    );
  key
    .command('revoke <id>')
    .description('end a key at once')
    .action((id: string, _options: unknown, command: Command) =>
      run(command, async ({ config, output, store }) => {
        if (!(await (await store()).apiKeys.revoke(config.tenant, id)))
          throw new AppError('NOT_FOUND', { message: `There is no active key "${id}".` });
        output.result({ id, revoked: true }, () => `Key ${id} is revoked.`);
      }),
    );
}
