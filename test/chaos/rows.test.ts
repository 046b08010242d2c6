/** The rows of docs/guarantees.md: each names tests that exist, and the page has each row. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { PROJECT_DIR } from '../../shared/config.ts';
import { rowCells } from './guarantees.ts';
import { ROWS } from './rows.ts';

const textOf = (path: string): string => readFileSync(join(PROJECT_DIR, path), 'utf8');

test('each row names tests that exist', () => {
  const named = ROWS.flatMap(({ plainShown, oursShown }) => [plainShown, oursShown]).filter((one) => one !== undefined);
  const missing = named.filter(({ file, title }) => {
    const titles = [...textOf(file).matchAll(/\b(?:test|it)\(\s*'([^']+)'/g)].map(([, found]) => found);
    return !titles.includes(title);
  });
  expect(missing).toEqual([]);
});

test('docs/guarantees.md has every row as it is here', () => {
  const plain = (line: string): string => line.replaceAll(/\s+/g, ' ');
  const lines = textOf('docs/guarantees.md').split('\n').map(plain);
  for (const row of ROWS) expect(lines).toContain(plain(`| ${rowCells(row).join(' | ')} |`));
});
