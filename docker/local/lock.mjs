// @ts-check
/** Owns turns between set-ups: of two that would build the same thing at once, one builds and the other waits. */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { identify, isAlive } from './processes.mjs';

const POLL_MS = 300;

/**
 * Runs WORK while holding the lock file. A lock whose owner is dead is taken over.
 * @template T
 * @param {string} file
 * @param {() => Promise<T>} work
 * @param {(owner: number) => void} [onWait] called once when somebody else is at it
 * @returns {Promise<T>}
 */
export async function withLock(file, work, onWait = () => undefined) {
  mkdirSync(dirname(file), { recursive: true });
  const me = JSON.stringify(await identify(process.pid));
  let said = false;
  while (!take(file, me)) {
    const owner = readOwner(file);
    if (owner === undefined || !(await isAlive(owner))) {
      discard(file, owner);
      continue;
    }
    if (!said) onWait(owner.pid);
    said = true;
    await pause(POLL_MS);
  }
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

/**
 * @param {string} file
 * @param {string} me
 */
function take(file, me) {
  try {
    writeFileSync(file, me, { flag: 'wx' });
    return true;
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === 'EEXIST') return false;
    throw error;
  }
}

/**
 * @param {string} file
 * @returns {import('./processes.mjs').ProcessIdentity | undefined}
 */
function readOwner(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined; // Released meanwhile, or its owner died while writing.
  }
}

/**
 * Takes a dead owner's lock away. The rename makes sure that only one of several waiters does it, and that
 * what was taken is the dead owner's; a lock that is somebody else's by now is put back.
 * @param {string} file
 * @param {import('./processes.mjs').ProcessIdentity | undefined} owner
 */
function discard(file, owner) {
  const aside = `${file}.${process.pid}`;
  try {
    renameSync(file, aside);
  } catch {
    return; // Another waiter was quicker.
  }
  if (readOwner(aside)?.pid === owner?.pid) rmSync(aside, { force: true });
  else renameSync(aside, file);
}
