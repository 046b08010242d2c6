// @ts-check
/** Owns `npm run keys -- DIR`: the three keys as files of DIR, for containers; those that are there stay as they are. */
import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { reportFailure, SetupError } from './setup-error.mjs';
import { ensureKeysIn } from './state.mjs';

try {
  const given = process.argv[2];
  if (!given) throw new SetupError('No folder was named.', 'Usage: npm run keys -- DIR');
  const folder = resolve(given);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const made = ensureKeysIn(folder);
  console.log(made.length > 0 ? `made ${made.join(', ')} in ${folder}` : `all keys are in ${folder} already`);
} catch (error) {
  process.exitCode = reportFailure(error);
}
