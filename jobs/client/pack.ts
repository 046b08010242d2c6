/**
 * Owns packing @millrace/client: contracts, contract kit and client are compiled into a folder of their own and packed
 * there, so that nothing is built inside the repository.
 *
 *   node jobs/client/pack.ts OUT_DIR      writes millrace-client-VERSION.tgz into OUT_DIR and prints its path
 */
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const CLIENT_DIR = fileURLToPath(new URL('.', import.meta.url));
const PROJECT_DIR = resolve(CLIENT_DIR, '../..');
const BIN_DIR = join(PROJECT_DIR, 'node_modules', '.bin');

/** Compiles and packs; resolves to the path of the tarball. */
export async function packClient(outDir: string): Promise<string> {
  const stage = await mkdtemp(join(tmpdir(), 'millrace-pack-'));
  const env = { ...process.env, PATH: `${BIN_DIR}${delimiter}${process.env.PATH ?? ''}` };
  try {
    await mkdir(outDir, { recursive: true });
    const project = join(CLIENT_DIR, 'tsconfig.build.json');
    await run(join(BIN_DIR, 'tsc'), ['-p', project, '--outDir', join(stage, 'dist')], { env });
    for (const name of ['package.json', 'README.md']) await cp(join(CLIENT_DIR, name), join(stage, name));
    await cp(join(PROJECT_DIR, 'LICENSE'), join(stage, 'LICENSE'));
    const { stdout } = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', resolve(outDir)], {
      cwd: stage,
      env,
    });
    const [packed] = JSON.parse(stdout) as [{ filename: string }];
    return join(resolve(outDir), packed.filename.replace('@', '').replace('/', '-'));
  } finally {
    await rm(stage, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(await packClient(process.argv[2] ?? '.'));
