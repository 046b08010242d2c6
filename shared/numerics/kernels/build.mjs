/**
 * Owns building the kernels: AssemblyScript sources in ./assembly to two WebAssembly modules in ./build (git-ignored), one with
 * relaxed SIMD and one with plain SIMD. Plain JavaScript without dependencies of its own (it starts the asc of node_modules),
 * so that any Node >= 20 can run it during set-up. Fresh output, by content hash, is left alone. Prints one line.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const here = dirname(fileURLToPath(import.meta.url));
const sourceFolder = join(here, 'assembly');
const outputFolder = join(here, 'build');
const stampFile = join(outputFolder, 'stamp.json');

const COMMON =
  '-O3 --noAssert --runtime stub --importMemory --sharedMemory --noExportMemory --initialMemory 1 --maximumMemory 65536 --enable simd --enable threads'.split(
    ' ',
  );
const MODULES = [
  { name: 'kernels-relaxed-simd.wasm', flags: ['--enable', 'relaxed-simd'] },
  { name: 'kernels-simd.wasm', flags: [] },
];

function compilerEntry() {
  const manifest = createRequire(import.meta.url).resolve('assemblyscript/package.json');
  return { manifest, script: join(dirname(manifest), 'bin', 'asc.js') };
}

/** A hash of everything that decides the output: the sources, the flags, the compiler's version. */
async function inputHash(manifest) {
  const hash = createHash('sha256').update(JSON.stringify([COMMON, MODULES]));
  hash.update(JSON.parse(await readFile(manifest, 'utf8')).version);
  for (const name of (await readdir(sourceFolder)).filter((file) => file.endsWith('.ts')).sort()) {
    hash.update(name).update(await readFile(join(sourceFolder, name)));
  }
  return hash.digest('hex');
}

/** The stamp also holds the hashes of the outputs: a half-written or foreign module is not fresh. */
async function isFresh(expected) {
  try {
    const stamp = JSON.parse(await readFile(stampFile, 'utf8'));
    if (stamp.input !== expected) return false;
    for (const { name } of MODULES) {
      const bytes = await readFile(join(outputFolder, name));
      if (createHash('sha256').update(bytes).digest('hex') !== stamp.outputs[name]) return false;
    }
    return true;
  } catch {
    return false;
  }
}

/** Writes under a name of this process, then renames: two builds at once leave a whole module. */
async function compile(script, { name, flags }) {
  const draft = join(outputFolder, `${process.pid}-${name}`);
  const entry = join(sourceFolder, 'index.ts');
  try {
    await promisify(execFile)(process.execPath, [script, entry, '-o', draft, ...COMMON, ...flags], { cwd: here });
    const bytes = await readFile(draft);
    await rename(draft, join(outputFolder, name));
    return [name, createHash('sha256').update(bytes).digest('hex')];
  } finally {
    await rm(draft, { force: true });
  }
}

/** Builds when needed; resolves to `{ built, seconds }`. */
export async function buildKernels() {
  const begin = performance.now();
  const { manifest, script } = compilerEntry();
  const input = await inputHash(manifest);
  if (await isFresh(input)) return { built: false, seconds: 0 };
  await mkdir(outputFolder, { recursive: true });
  const outputs = Object.fromEntries(await Promise.all(MODULES.map((module) => compile(script, module))));
  const draft = `${stampFile}.${process.pid}`;
  await writeFile(draft, JSON.stringify({ input, outputs }, null, 2));
  await rename(draft, stampFile);
  return { built: true, seconds: (performance.now() - begin) / 1000 };
}

if (process.argv[1] !== undefined && fileURLToPath(import.meta.url) === process.argv[1]) {
  try {
    const { built, seconds } = await buildKernels();
    const names = 'relaxed SIMD and plain SIMD';
    console.log(built ? `kernels built in ${seconds.toFixed(1)} s (${names})` : `kernels ready (${names})`);
  } catch (error) {
    console.error(
      `kernels: the build failed. Run \`npm install\`, then \`npm run build:kernels\`.\n${error.stderr ?? error}`,
    );
    process.exitCode = 1;
  }
}
