// @ts-check
/** Owns the call that builds the WebAssembly kernels; their own script decides whether anything is to do. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { bundledNode, projectRoot } from './paths.mjs';
import { lastLines, run } from './processes.mjs';
import { SetupError } from './setup-error.mjs';

const ANNOUNCE_AFTER_MS = 700;
const SCRIPT = join(projectRoot, 'shared', 'numerics', 'kernels', 'build.mjs');

/**
 * @param {import('./progress.mjs').Step} step
 * @returns {Promise<string>} the script's own last line
 */
export async function ensureKernels(step) {
  if (!existsSync(SCRIPT)) return 'none to build';
  // Fresh kernels are recognised in a blink: only a real build is worth a row.
  const announce = setTimeout(() => step.update(0.5, 'building the WebAssembly kernels'), ANNOUNCE_AFTER_MS);
  const { code, output } = await run(bundledNode, [SCRIPT], { cwd: projectRoot });
  clearTimeout(announce);
  if (code === 0) return lastLines(output, 1);
  throw new SetupError(`The kernels did not compile:\n    ${lastLines(output)}`, 'Run: npm run build:kernels');
}
