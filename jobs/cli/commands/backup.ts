/** Owns `millrace backup` and `millrace restore`: the whole store into a folder, and back into an empty database. */
import type { Command } from 'commander';
import {
  backUp,
  type BackupFile,
  type BackupManifest,
  type BackupOptions,
} from '../../../shared/store/mongo/backup.ts';
import { restore } from '../../../shared/store/mongo/restore.ts';
import type { Cli } from '../cli.ts';
import type { Session } from '../session.ts';

function optionsOf({ config, output, signal }: Session): BackupOptions {
  const { mongodbUrl: url, database, masterKey, tenantKey } = config;
  const onFile = ({ collection, documents, bytes }: BackupFile): void =>
    output.note(`${collection}: ${documents} documents, ${bytes} bytes`);
  return { url, database, masterKey, tenantKey, signal, onFile };
}

const documentsOf = ({ files }: BackupManifest): number => files.reduce((sum, { documents }) => sum + documents, 0);

export function registerBackup({ program, run }: Cli): void {
  program
    .command('backup')
    .description('write the whole store into an empty folder; keys are named, not included')
    .argument('<folder>')
    .action((folder: string, _options: unknown, command: Command) =>
      run(command, async (session) => {
        const manifest = await backUp(folder, optionsOf(session));
        session.output.result({ folder, ...manifest }, () => [
          `${documentsOf(manifest)} documents of ${manifest.files.length} collections are in ${folder}.`,
          `They open under master key ${manifest.keys.master.join(', ')} and tenant key ${manifest.keys.tenant}: keep those elsewhere.`,
        ]);
      }),
    );
  program
    .command('restore')
    .description('verify a backup and write it into an empty database (MILLRACE_DATABASE)')
    .argument('<folder>')
    .action((folder: string, _options: unknown, command: Command) =>
      run(command, async (session) => {
        const manifest = await restore(folder, optionsOf(session));
        session.output.result({ folder, database: session.config.database, ...manifest }, () => [
          `${documentsOf(manifest)} documents of ${manifest.startedAt} are in the database ${session.config.database}.`,
          'Start it with an empty Redis: what waited there is not part of a backup.',
        ]);
      }),
    );
}
