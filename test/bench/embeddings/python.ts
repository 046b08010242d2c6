/** Owns the peers' virtual environment: made once in the user's cache folder from requirements.txt, atomically, and kept. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cacheFolder } from '../../../docker/local/paths.mjs';

const run = promisify(execFile);
const REQUIREMENTS = fileURLToPath(new URL('./requirements.txt', import.meta.url));

/** Path of the Python that has the peers. Takes about a minute the first time. */
export async function peerPython(): Promise<string> {
  const { stdout: version } = await run('python3', ['--version']);
  const wanted = createHash('sha256')
    .update(version)
    .update(await readFile(REQUIREMENTS));
  const folder = join(cacheFolder(), `bench-peers-${wanted.digest('hex').slice(0, 12)}`);
  const python = join(folder, 'bin', 'python');
  if (existsSync(join(folder, 'ready'))) return python;
  console.log('  making the virtual environment of the peers (once)');
  await mkdir(cacheFolder(), { recursive: true });
  await rm(folder, { recursive: true, force: true });
  await run('python3', ['-m', 'venv', folder]);
  await run(python, ['-m', 'pip', 'install', '--quiet', '-r', REQUIREMENTS]);
  await mkdir(join(folder, 'ready.draft'));
  await rename(join(folder, 'ready.draft'), join(folder, 'ready'));
  return python;
}
