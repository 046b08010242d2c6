// @ts-check
/**
 * Owns the browser of the browser tests: Debian's Chromium, found on PATH or offered for installation.
 * Without one those tests are skipped; nothing else needs it.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { canInstall, installPackages } from './apt.mjs';
import { stateFolder } from './paths.mjs';
import { findOnPath } from './processes.mjs';

const PROGRAMS = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'];
const ANSWER_MS_MAX = 30_000;

/** The browser's program, if there is one. MILLRACE_CHROMIUM names another. */
export function findChromium(env = process.env) {
  if (env.MILLRACE_CHROMIUM) return env.MILLRACE_CHROMIUM;
  return PROGRAMS.map((name) => findOnPath(name, env)).find((file) => file !== undefined);
}

/**
 * Installs Chromium when told to (MILLRACE_INSTALL_CHROMIUM=1) or when a person at the terminal says yes; asks once.
 * @param {import('./progress.mjs').Step} step
 * @returns {Promise<string | undefined>} the program
 */
export async function offerChromium(step, env = process.env) {
  const present = findChromium(env);
  if (present || !canInstall()) return present;
  if (env.MILLRACE_INSTALL_CHROMIUM !== '1' && !(await personAgrees())) return undefined;
  try {
    await installPackages(['chromium'], step);
  } catch (error) {
    // A missing browser costs the browser tests and nothing else, so its failure is only said.
    step.note(error instanceof Error ? error.message : String(error));
  }
  return findChromium(env);
}

async function personAgrees() {
  const declined = join(stateFolder(), 'chromium-declined');
  if (!process.stdin.isTTY || !process.stderr.isTTY || process.env.CI || existsSync(declined)) return false;
  const reader = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const question = '  The browser tests need Chromium. Install it now (apt-get install chromium)? [y/N] ';
    const answer = await reader.question(question, { signal: AbortSignal.timeout(ANSWER_MS_MAX) });
    if (/^y(es)?$/i.test(answer.trim())) return true;
  } catch {
    process.stderr.write('\n'); // Nobody is there: that is a no for this time only.
    return false;
  } finally {
    reader.close();
  }
  mkdirSync(dirname(declined), { recursive: true, mode: 0o700 });
  writeFileSync(declined, 'Delete this file to be asked again.\n');
  return false;
}
