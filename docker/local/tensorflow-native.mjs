// @ts-check
/**
 * Owns `npm run setup:native`: TensorFlow's native engine in a folder of its own in the user's cache.
 *
 * Upstream's install downloads libtensorflow; where that host is not reached, the binding is compiled against
 * the library inside the wheel of the package index, whose hash is pinned. It writes nothing into the project, is
 * never required (WebAssembly serves as well, slower), and replaces an older engine only once the new one works.
 */
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withLock } from './lock.mjs';
import { nativeFolder, nativePackage, nativeVersion } from './native-location.mjs';
import { ensurePackages } from './packages.mjs';
import { bundledNode } from './paths.mjs';
import { findOnPath, lastLines, run } from './processes.mjs';
import { openStep, spokenDuration } from './progress.mjs';
import { messageOf, reportFailure, SetupError } from './setup-error.mjs';

/** @typedef {import('./progress.mjs').Step} Step */

const TEMPLATE = join(dirname(fileURLToPath(import.meta.url)), 'tensorflow-native');
const UPSTREAM = 'https://storage.googleapis.com/tensorflow/libtensorflow/libtensorflow-cpu-linux-x86_64-2.9.1.tar.gz';
const PROBE_MS_MAX = 4_000;
const WITHOUT_IT = 'Millrace works without it: TensorFlow.js then runs on WebAssembly.';
/** What upstream's install script looks for, so that a later `npm rebuild` takes the library that is there. */
const LINKS = {
  'libtensorflow.so': 'libtensorflow_cc.so.2',
  'libtensorflow.so.2': 'libtensorflow_cc.so.2',
  'libtensorflow.so.2.9.1': 'libtensorflow_cc.so.2',
  'libtensorflow_framework.so': 'libtensorflow_framework.so.2',
  'libtensorflow_framework.so.2.9.1': 'libtensorflow_framework.so.2',
};

/**
 * @param {Step} step
 * @returns {Promise<string>} what is there now, in words
 */
async function ensureNative(step) {
  const version = nativeVersion();
  if (version && (await verify(nativePackage())).ok) return `${version.padEnd(13)}native, in ${nativePackage()}`;
  const folder = nativeFolder();
  const onWait = (/** @type {number} */ pid) => step.note(`process ${pid} is at it already: waiting`);
  return withLock(`${folder}.lock`, () => install(folder, step), onWait);
}

/**
 * @param {string} folder
 * @param {Step} step
 */
async function install(folder, step) {
  const startedMs = Date.now();
  const temporary = `${folder}.building`;
  rmSync(temporary, { recursive: true, force: true });
  mkdirSync(temporary, { recursive: true });
  try {
    for (const file of ['package.json', 'package-lock.json']) copyFileSync(join(TEMPLATE, file), join(temporary, file));
    step.update(0.02, 'packages of the engine');
    await must(run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: temporary }), 'npm ci failed');
    const target = join(temporary, 'node_modules', '@tensorflow', 'tfjs-node');
    const route = (await fromUpstream(temporary, target, step)) ?? (await fromWheel(temporary, target, step));
    step.update(0.97, 'one matrix product on Node 24');
    const proof = await verify(target);
    if (!proof.ok) throw new SetupError(`The native engine does not work:\n    ${lastLines(proof.output)}`, WITHOUT_IT);
    rmSync(folder, { recursive: true, force: true });
    renameSync(temporary, folder);
    const { tensorflow } = JSON.parse(lastLines(proof.output, 1));
    return `TensorFlow ${tensorflow} ${route}, ready in ${spokenDuration(Date.now() - startedMs)}`;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

/**
 * Upstream's own install script, where its download host answers.
 * @param {string} folder
 * @param {string} target
 * @param {Step} step
 * @returns {Promise<string | undefined>} undefined when this route is closed
 */
async function fromUpstream(folder, target, step) {
  try {
    const answer = await fetch(UPSTREAM, { method: 'HEAD', signal: AbortSignal.timeout(PROBE_MS_MAX) });
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
  } catch (error) {
    step.note(`upstream's download is not reachable (${messageOf(error)}): building against TensorFlow's wheel`);
    return undefined;
  }
  step.update(0.1, "upstream's install");
  const rebuilt = await run('npm', ['rebuild', '@tensorflow/tfjs-node', '--ignore-scripts=false'], { cwd: folder });
  if (rebuilt.code === 0 && (await verify(target)).ok) return "by upstream's install";
  step.note("upstream's install did not give a working engine: building against TensorFlow's wheel");
  return undefined;
}

/**
 * @param {string} folder
 * @param {string} target
 * @param {Step} step
 */
async function fromWheel(folder, target, step) {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new SetupError('The wheel route exists for Linux on x64 only.', WITHOUT_IT);
  }
  const compiler = needed('g++', 'apt-get install g++');
  const python = needed('python3', 'apt-get install python3 python3-pip');
  const wheel = await downloadWheel(python, folder, step);
  step.update(0.8, 'unpacking libtensorflow');
  const unpacked = join(folder, 'unpacked');
  await must(run(python, [join(TEMPLATE, 'unpack.py'), wheel, unpacked]), 'The wheel could not be unpacked');
  arrangeLibrary(join(unpacked, 'tensorflow'), target);
  rmSync(unpacked, { recursive: true, force: true });
  rmSync(dirname(wheel), { recursive: true, force: true });
  step.update(0.87, 'compiling the binding');
  await compileBinding(compiler, folder, target);
  return "built against TensorFlow's wheel";
}

/**
 * @param {string} python
 * @param {string} folder
 * @param {Step} step
 */
async function downloadWheel(python, folder, step) {
  const wheels = join(folder, 'wheels');
  step.update(0.1, 'downloading TensorFlow 2.15.1 (207 MB)');
  const platform = '--python-version 3.11 --implementation cp --abi cp311 --platform manylinux2014_x86_64'.split(' ');
  const requirements = ['--require-hashes', '-r', join(TEMPLATE, 'requirements.txt')];
  const pip = ['-m', 'pip', 'download', '--no-deps', '--only-binary', ':all:', ...(await rawProgress(python))];
  const downloaded = run(python, [...pip, ...platform, ...requirements, '-d', wheels], {
    onLine(line) {
      const [, done, total] = /^Progress (\d+) of (\d+)/.exec(line) ?? [];
      if (done && total) step.update(0.1 + (0.68 * Number(done)) / Number(total));
    },
  });
  await must(downloaded, "TensorFlow's wheel could not be downloaded");
  const name = readdirSync(wheels).find((file) => file.endsWith('.whl'));
  if (!name) throw new SetupError("pip downloaded no wheel of TensorFlow's.", WITHOUT_IT);
  return join(wheels, name);
}

/**
 * From 24.1 on pip tells its progress in a form that programs read.
 * @param {string} python
 */
async function rawProgress(python) {
  const { output } = await run(python, ['-m', 'pip', '--version']);
  const [major = 0, minor = 0] = (/pip (\d+)\.(\d+)/.exec(output) ?? []).slice(1).map(Number);
  return major > 24 || (major === 24 && minor >= 1) ? ['--progress-bar', 'raw'] : [];
}

/**
 * Puts libtensorflow where the binding expects it.
 * @param {string} unpacked
 * @param {string} target
 */
function arrangeLibrary(unpacked, target) {
  for (const name of ['deps', 'lib', 'build']) rmSync(join(target, name), { recursive: true, force: true });
  const libraries = join(target, 'deps', 'lib');
  mkdirSync(libraries, { recursive: true });
  mkdirSync(join(target, 'lib', 'napi-v8'), { recursive: true });
  for (const name of readdirSync(unpacked).filter((file) => file.endsWith('.so.2'))) {
    renameSync(join(unpacked, name), join(libraries, name));
    chmodSync(join(libraries, name), 0o755);
  }
  cpSync(join(unpacked, 'include'), join(target, 'deps', 'include'), { recursive: true });
  for (const name of readdirSync(unpacked).filter((file) => /LICENSE|NOTICES/.test(file))) {
    renameSync(join(unpacked, name), join(target, 'deps', name));
  }
  for (const [link, file] of Object.entries(LINKS)) symlinkSync(file, join(libraries, link));
}

/**
 * @param {string} compiler
 * @param {string} folder
 * @param {string} target
 */
async function compileBinding(compiler, folder, target) {
  const headers = join(folder, 'node_modules', 'node-api-headers', 'include');
  const flags = '-std=gnu++17 -O3 -fPIC -shared -DNAPI_VERSION=8 -DNODE_GYP_MODULE_NAME=tfjs_binding';
  const paths = ['-DBUILDING_NODE_EXTENSION', '-I..', '-Ideps/include', `-I${headers}`];
  const sources = ['binding/tfjs_backend.cc', 'binding/tfjs_binding.cc', '-o', 'lib/napi-v8/tfjs_binding.node'];
  // Relative to the binding itself, so that the finished folder can be moved into place.
  const linked = ['-Ldeps/lib', '-Wl,-rpath,$ORIGIN/../../deps/lib', '-ltensorflow', '-ltensorflow_framework'];
  const compiled = run(compiler, [...flags.split(' '), ...paths, ...sources, ...linked], { cwd: target });
  await must(compiled, 'The binding did not compile');
}

/** @param {string} target */
async function verify(target) {
  if (!existsSync(target)) return { ok: false, output: 'not installed' };
  const env = { ...process.env, TF_CPP_MIN_LOG_LEVEL: '2' };
  const { code, output } = await run(bundledNode, [join(TEMPLATE, 'verify.mjs'), target], { env });
  return { ok: code === 0, output };
}

/**
 * @param {string} program
 * @param {string} command
 */
function needed(program, command) {
  const file = findOnPath(program);
  if (file) return file;
  throw new SetupError(
    `The native engine is built with ${program}, which is not on PATH.`,
    `${command}. ${WITHOUT_IT}`,
  );
}

/**
 * @param {Promise<{code: number, output: string}>} running
 * @param {string} what
 */
async function must(running, what) {
  const { code, output } = await running;
  if (code !== 0) throw new SetupError(`${what}:\n    ${lastLines(output)}`, `Try again later. ${WITHOUT_IT}`);
}

async function main() {
  await ensurePackages(openStep('packages'));
  const step = openStep('TensorFlow');
  try {
    step.done(await ensureNative(step));
    return 0;
  } catch (error) {
    step.clear();
    throw error;
  }
}

process.exitCode = await main().catch(reportFailure);
