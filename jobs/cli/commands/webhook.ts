/** Owns `millrace webhook`: addresses that are told of ended runs. A secret is shown once. */
import type { Command } from 'commander';
import { AppError } from '../../../shared/errors.ts';
import { webhookUrl } from '../../../shared/http/webhook-address.ts';
import { contractOf } from '../../registry.ts';
import { WEBHOOK_STATES } from '../../webhook-delivery/contract.ts';
import type { Cli } from '../cli.ts';
import { table } from '../output.ts';

type State = (typeof WEBHOOK_STATES)[number];

function statesOf(names: readonly string[]): State[] {
  const unknown = names.filter((name) => !(WEBHOOK_STATES as readonly string[]).includes(name));
  if (unknown.length > 0)
    throw new AppError('USAGE', {
      message: `Runs do not end as ${unknown.join(', ')}.`,
      details: { known: WEBHOOK_STATES },
    });
  return names as State[];
}

export function registerWebhook({ program, run }: Cli): void {
  const webhook = program.command('webhook').description('addresses that are told of ended runs');
  webhook
    .command('create <url>')
    .description('register an address; the secret that signs its deliveries is shown once')
    .option('--kind <kind...>', 'kinds of runs; without it all', [])
    .option('--state <state...>', `how runs ended: ${WEBHOOK_STATES.join(', ')}; without it all`, [])
    .action((url: string, options: { kind: string[]; state: string[] }, command: Command) =>
      run(command, async ({ config, output, store }) => {
        webhookUrl(url, config.webhookPrivate);
        for (const kind of options.kind) contractOf(kind);
        const what = { url, kinds: options.kind, states: statesOf(options.state) };
        const { webhook: made, secret } = await (await store()).webhooks.create(config.tenant, what);
        output.result({ ...made, secret }, () => [
          `Webhook ${made.id}`,
          secret,
          'This secret is not shown again. Deliveries are signed with it; docs/webhooks.md says how to verify them.',
        ]);
      }),
    );
  webhook
    .command('list')
    .description('the registered addresses of this tenant')
    .action((_options: unknown, command: Command) =>
      run(command, async ({ config, output, store }) => {
        const webhooks = await (await store()).webhooks.list(config.tenant);
        output.result(webhooks, () =>
          webhooks.length === 0
            ? 'No address is registered.'
            : table(
                webhooks.map((one) => [one.id, one.url, one.kinds.join(',') || 'all', one.states.join(',') || 'all']),
              ),
        );
      }),
    );
  webhook
    .command('remove <id>')
    .description('tell an address no more')
    .action((id: string, _options: unknown, command: Command) =>
      run(command, async ({ config, output, store }) => {
        if (!(await (await store()).webhooks.remove(config.tenant, id)))
          throw new AppError('NOT_FOUND', { message: `There is no webhook "${id}".` });
        output.result({ id, removed: true }, () => `Webhook ${id} is removed.`);
      }),
    );
}
