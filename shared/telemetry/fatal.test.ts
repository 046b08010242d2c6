import { spawnSync } from 'node:child_process';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const MODULE = pathToFileURL(join(import.meta.dirname, 'fatal.ts')).href;

test.each([
  ['a rejection that nobody handles', 'Promise.reject(new TypeError("cannot read Asha Rao"));'],
  ['an exception that nobody catches', 'setImmediate(() => { throw new TypeError("cannot read Asha Rao"); });'],
])('%s ends the process with its place, and without its words', (_what, code) => {
  const script = `import { endOnUncaught } from '${MODULE}'; endOnUncaught(); ${code} setTimeout(() => {}, 60_000);`;
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  expect(status).toBe(1);
  const said = JSON.parse(stderr) as { code: string; cause: string };
  expect(said.code).toBe('INTERNAL');
  expect(said.cause).toMatch(/^TypeError\n\s+at /);
  expect(stderr).not.toContain('Asha');
});
