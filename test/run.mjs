// @ts-check
/**
 * Owns the one run of the suite: vitest over everything (or over the files named as arguments), and as the
 * last line the counts, taken from vitest's own report.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { countTests } from './counts.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const folder = mkdtempSync(join(tmpdir(), 'millrace-report-'));
const report = join(folder, 'report.json');

const child = spawn(
  process.execPath,
  [
    join(root, 'node_modules', 'vitest', 'vitest.mjs'),
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
    ...process.argv.slice(2),
  ],
  {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    // libtensorflow writes about the machine's processor to stderr otherwise.
    env: { TF_CPP_MIN_LOG_LEVEL: '2', ...process.env },
  },
);
// The signal reaches vitest too, as it is in our process group: we only wait for it.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => undefined);
const [code] = await once(child, 'exit');

let text = '';
try {
  text = readFileSync(report, 'utf8');
} catch {
  // vitest died before it could report: counted as one failure below.
}
rmSync(folder, { recursive: true, force: true });
const { passed, failed, skipped } = countTests(text, code);
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = failed > 0 || code !== 0 ? 1 : 0;
