/** Owns `millrace backup` and `millrace restore`: the whole store into a folder, and back into an empty database. */
import type { Command } from 'commander';
import { readFiledErasures, reapplyErasures } from '../../../shared/store/reapply-erasures.ts';
import {
  backUp,
  type BackupFile,
  type BackupManifest,
  type BackupOptions,
} from '../../../shared/store/mongo/backup.ts';
import { storeAt } from '../../../shared/store/mongo/open.ts';
import { restore } from '../../../shared/store/mongo/restore.ts';
import { readText } from '../arguments.ts';
import type { Cli } from '../cli.ts';
import type { Session } from '../session.ts';

function optionsOf({ config, output, signal }: Session): BackupOptions {
  const onFile = ({ collection, documents, bytes }: BackupFile): void =>
    output.note(`${collection}: ${documents} documents, ${bytes} bytes`);
  return { ...storeAt(config), signal, onFile };
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
    .option('--erasures <file>', 'erase again whoever is in these reports (millrace person reports --json)')
    .action((folder: string, options: { erasures?: string }, command: Command) =>
      run(command, async (session) => {
        // Read before anything is written: a file that is none is refused first.
        const filed = options.erasures === undefined ? undefined : readFiledErasures(await readText(options.erasures));
        const manifest = await restore(folder, optionsOf(session));
        const again = filed && (await reapplyErasures(await session.store(), filed, session.signal));
        const done = { folder, database: session.config.database, ...manifest, ...(again && { erasures: again }) };
        session.output.result(done, () => [
          `${documentsOf(manifest)} documents of ${manifest.startedAt} are in the database ${session.config.database}.`,
          again === undefined
            ? 'Whoever was erased since the backup is in it again: give --erasures, or erase them before you serve it.'
            : `${again.erased} people who were erased since were erased again.`,
          'Start it with an empty Redis: what waited there is not part of a backup.',
        ]);
      }),
    );
}
