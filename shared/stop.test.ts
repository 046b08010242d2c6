import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';

const MODULE = pathToFileURL(join(import.meta.dirname, 'stop.ts')).href;

/** A process whose stop does what `work` says; resolves once it can be asked. */
async function stopping(work: string, limitMs: number) {
  const script = `import { stopOnSignal } from '${MODULE}';
    stopOnSignal({ limitMs: ${limitMs}, stop: async () => { console.log('stopping'); ${work} }, late: () => console.log('late') });
    setInterval(() => {}, 1e6); console.log('ready');`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  await once(child.stdout, 'data');
  return { child, said: () => said.trim().split('\n') };
}

test.each([
  ['ends with 0 when it has stopped in order', '', 60_000, 0, ['ready', 'stopping']],
  ['ends with 1 when stopping fails', 'throw new Error("no");', 60_000, 1, ['ready', 'stopping']],
  [
    'ends with 0 at the limit when stopping hangs',
    'await new Promise(() => {});',
    200,
    0,
    ['ready', 'stopping', 'late'],
  ],
])('a process that is asked to stop %s', async (_what, work, limitMs, code, lines) => {
  const { child, said } = await stopping(work, limitMs);
  const closed = once(child, 'close');
  child.kill('SIGTERM');
  expect(await closed).toEqual([code, null]);
  expect(said()).toEqual(lines);
});
