import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';

const LINES = 20_000;
const script = `
  const { flushed } = await import(${JSON.stringify(new URL('./flush.mjs', import.meta.url).href)});
  for (let line = 0; line < ${LINES}; line++) process.stdout.write('x'.repeat(99) + '\\n');
  process.stderr.write('written');
  await flushed([process.stdout]);
  process.exit();
`;

test('a reader who is slow still gets the last line before the process ends', async () => {
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'pipe'] });
  const closed = once(child, 'close');
  await once(child.stderr, 'data'); // nobody has read a line yet, and far more than a pipe holds was written
  let bytes = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
  });
  await closed;
  expect(bytes).toBe(LINES * 100);
});
