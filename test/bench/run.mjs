// @ts-check
/** Owns `npm run bench -- NAME`: finds the benchmark of that name and runs it on the servers that set-up started. */
import { readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = dirname(fileURLToPath(import.meta.url));
const names = readdirSync(folder)
  .filter((name) => name.endsWith('.bench.ts'))
  .map((name) => name.slice(0, -'.bench.ts'.length));
const [name, ...rest] = process.argv.slice(2);

if (name === undefined || !names.includes(name)) {
  console.error(
    `USAGE: npm run bench -- NAME, where NAME is one of ${names.join(', ')}${name === undefined ? '' : `; there is no "${name}"`}.`,
  );
  process.exit(2);
}
const { main } = await import(`./${name}.bench.ts`);
await main(rest);
process.exit(process.exitCode ?? 0);
