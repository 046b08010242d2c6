/** Owns `millrace key`: API keys for the gateway. A secret is shown once; the store keeps a hash. */
import type { Command } from 'commander';
import { AppError } from '../../../shared/errors.ts';
import { KEY_SCOPES, type KeyScope } from '../../../shared/store/ports.ts';
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

export function registerKey({ program, run }: Cli): void {
  const key = program.command('key').description('API keys for the gateway');
  key
    .command('create')
    .description('make a key; its secret is shown once')
    .requiredOption('--scope <scope...>', `what the key may do: ${KEY_SCOPES.join(', ')}`)
    .option('--name <name>', 'what the key is for', 'cli')
    .action((options: { scope: string[]; name: string }, command: Command) =>
      run(command, async ({ config, output, store }) => {
        const scopes = scopesOf(options.scope);
        const { key: made, secret } = await (await store()).apiKeys.create(config.tenant, options.name, scopes);
        output.result({ id: made.id, scopes: made.scopes, secret }, () => [
          `Key ${made.id} (${made.scopes.join(', ')})`,
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
                  k.scopes.join(','),
                  new Date(k.createdAt).toISOString(),
                  k.revokedAt === undefined ? 'active' : 'revoked',
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
