/** The example of README.md, run as it stands there against real workers. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { asUser, PROJECT_DIR } from './as-a-user.ts';

const CLIENT = pathToFileURL(join(PROJECT_DIR, 'jobs/client/index.ts')).href;

/** The first block of TypeScript that connects. */
async function example(): Promise<string> {
  const text = await readFile(join(PROJECT_DIR, 'README.md'), 'utf8');
  const found = [...text.matchAll(/^```ts\n([\s\S]*?)^```/gm)].map(([, code]) => code!);
  return found.find((code) => code.includes('connect('))!;
}

test('the example of the README runs as it stands, twice with one effect', async () => {
  const code = await example();
  expect(code.trim().split('\n').length).toBeLessThanOrEqual(12);
  await using user = await asUser();
  await user.worker();
  // The package, at the prefix of this test: the example has none, as its workers have none.
  const client = join(user.folder, 'client.ts');
  await writeFile(
    client,
    `export * from '${CLIENT}';
import { connect as open } from '${CLIENT}';
export const connect = (options: object) => open({ ...options, prefix: process.env.MILLRACE_PREFIX } as never);
`,
  );
  const program = join(user.folder, 'example.ts');
  expect(code).toContain("'@millrace/client'");
  await writeFile(program, code.replaceAll("'@millrace/client'", `'${client}'`));
  for (let time = 0; time < 2; time++)
    expect(await user.run(program)).toEqual({ code: 0, stdout: '1 event stored, 0 refused\n', stderr: '' });
  expect(await user.services.store.events.count('main')).toBe(1);
});
