/** The build as set-up runs it: plain JavaScript in a process of its own, on a copy of the sources. */
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-kernels-'));
  for (const name of ['build.mjs', 'assembly'])
    await cp(join(import.meta.dirname, name), join(folder, name), { recursive: true });
  await symlink(resolve(import.meta.dirname, '../../../node_modules'), join(folder, 'node_modules'));
});
afterAll(() => rm(folder, { recursive: true }));

const build = () => promisify(execFile)(process.execPath, [join(folder, 'build.mjs')]);
const moduleBytes = (name: string) => readFile(join(folder, 'build', `kernels-${name}.wasm`));

test('builds both modules once, again after a damage or a change, and says why it cannot', async () => {
  expect((await build()).stdout).toMatch(/^kernels built in [\d.]+ s \(relaxed SIMD and plain SIMD\)\n$/);
  const plain = await moduleBytes('simd');
  expect(WebAssembly.validate(plain)).toBe(true);
  expect(WebAssembly.validate(await moduleBytes('relaxed-simd'))).toBe(true);
  expect((await build()).stdout).toBe('kernels ready (relaxed SIMD and plain SIMD)\n');

  await writeFile(join(folder, 'build', 'kernels-simd.wasm'), plain.subarray(0, 100));
  expect((await build()).stdout).toMatch(/^kernels built/);
  expect(await moduleBytes('simd')).toEqual(plain);

  await writeFile(join(folder, 'assembly', 'als.ts'), 'export function gramChunk(: i32): void {}');
  await expect(build()).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining('npm run build:kernels') });
  // What was built before is left whole.
  expect(await moduleBytes('simd')).toEqual(plain);
});
