// @ts-check
/** Owns the one static gate: format, lint, types. Every step runs, also after a failure; each says how long it took. */
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const STEPS = [
  { name: 'format', program: 'biome', args: ['format', '.'] },
  { name: 'lint', program: 'oxlint', args: ['--type-aware', '.'] },
  { name: 'types', program: 'tsc', args: ['-p', '.'] },
  { name: 'unused', program: 'knip', args: ['--no-progress', '--include', 'files,dependencies,unlisted,unresolved'] },
];

const results = STEPS.map(({ name, program, args }) => {
  const startedMs = performance.now();
  const { status } = spawnSync(join(root, 'node_modules', '.bin', program), args, { cwd: root, stdio: 'inherit' });
  return { name, ok: status === 0, seconds: ((performance.now() - startedMs) / 1000).toFixed(1) };
});
for (const { name, ok, seconds } of results)
  console.log(`  ${name.padEnd(8)}${ok ? 'ok    ' : 'FAILED'}  ${seconds} s`);
if (results.some(({ ok }) => !ok)) process.exitCode = 1;
