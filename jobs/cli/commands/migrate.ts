/** Owns `millrace migrate`: which format the store's blocks have, and the job that brings them up to date. */
import type { Command } from 'commander';
import type { FormatStatus } from '../../../shared/store/ports.ts';
import type { Cli } from '../cli.ts';
import type { Session } from '../session.ts';
import { followJob } from '../waiting.ts';

export function formatLines({ writes, newest, lagging, blocks }: FormatStatus): string[] {
  const state = `Merged blocks of events are written in format ${writes}; the newest is ${newest}. ${lagging} of ${blocks} are in an older one.`;
  if (writes < newest) return [state, 'Once every process is of this version: `millrace migrate enable`.'];
  return lagging > 0 ? [state, 'Bring them up to date: `millrace migrate run`.'] : [state];
}

export function registerMigrate({ program, run }: Cli): void {
  const migrate = program.command('migrate').description('the format of stored blocks');
  migrate
    .command('status')
    .description('which format is written, and how many blocks lag')
    .action((_options: unknown, command: Command) =>
      run(command, async ({ config, output, store }) => {
        const status = await (await store()).formats.status(config.tenant);
        output.result(status, () => formatLines(status));
      }),
    );
  migrate
    .command('enable')
    .description('write the newest format from now on; processes that do not read it must be gone')
    .action((_options: unknown, command: Command) =>
      run(command, async ({ config, output, store }) => {
        const { formats } = await store();
        await formats.enable();
        const status = await formats.status(config.tenant);
        output.result(status, () => formatLines(status));
      }),
    );
  migrate
    .command('run')
    .description('bring blocks in older formats up to date')
    .action((_options: unknown, command: Command) => run(command, runMigration));
}

async function runMigration(session: Session): Promise<void> {
  const { config, output, client, store } = session;
  const { newest } = await (await store()).formats.status(config.tenant);
  const job = await client().migration.enqueue({ format: newest });
  const done = await followJob(session, 'migration', 'migration', job);
  if (!('blocks' in done)) return; // of another act
  output.result(done, () => {
    const { blocks, versions, bytesBefore, bytesAfter } = done;
    return `${blocks} blocks (${bytesBefore} bytes, now ${bytesAfter}) and ${versions} data sets are up to date. The old blocks are collected later.`;
  });
}
