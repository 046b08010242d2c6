/** Owns the code version: a content hash of the sources that decide what a run computes. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { PROJECT_DIR } from '../../shared/config.ts';

const FOLDERS = ['jobs', 'workers', 'shared'];

/** 16 hex digits; tests and documents do not count. Reads some hundred files: once per process. */
export function codeVersion(projectDir: string = PROJECT_DIR): string {
  const hash = createHash('sha256');
  for (const folder of FOLDERS) {
    const files = readdirSync(join(projectDir, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && /\.(ts|mjs|wasm)$/.test(entry.name) && !entry.name.endsWith('.test.ts'))
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((path) => !path.includes('node_modules'))
      .sort();
    for (const path of files)
      hash.update(relative(projectDir, path)).update('\0').update(readFileSync(path)).update('\0');
  }
  return hash.digest('hex').slice(0, 16);
}
