// @ts-check
/** Owns what Debian's package manager installs for us: only as root, only after saying so. */
import { findOnPath, lastLines, run } from './processes.mjs';
import { SetupError } from './setup-error.mjs';

/** @typedef {import('./progress.mjs').Step} Step */

/** Whether packages can be installed here without asking anybody for a password. */
export function canInstall(env = process.env) {
  return process.platform === 'linux' && process.getuid?.() === 0 && findOnPath('apt-get', env) !== undefined;
}

/**
 * Installs packages of the distribution. Says so first, shows apt's own percentages.
 * @param {string[]} packages
 * @param {Step} step
 */
export async function installPackages(packages, step) {
  const names = packages.join(' ');
  step.note(`installs ${names} with apt-get, as you are root`);
  step.update(0, 'apt-get update');
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const updated = await run('apt-get', ['update', '-q'], { env });
  const args = ['install', '-y', '-q', '--no-install-recommends', '-o', 'APT::Status-Fd=3', ...packages];
  // A server's package would start a service of its own on the default port: not ours to start.
  const installed = await run('apt-get', args, {
    env: { ...env, RUNLEVEL: '1' },
    statusFd: true,
    onLine: (line) => showStatus(line, step),
  });
  if (installed.code !== 0) {
    const output = updated.code === 0 ? installed.output : `${updated.output}\n${installed.output}`;
    throw new SetupError(
      `apt-get could not install ${names}:\n    ${lastLines(output)}`,
      `Mend apt (often the network or the sources), then: apt-get install ${names}`,
    );
  }
}

/**
 * Reads a line of APT::Status-Fd (`dlstatus:1:12.5:...` downloads, `pmstatus:package:62.5:...` unpacks).
 * @param {string} line
 * @param {Step} step
 * @param {(fraction: number) => number} [place] where in the whole step apt's own 0..1 lies
 */
export function showStatus(line, step, place = (fraction) => fraction) {
  const match = /^(dl|pm)status:([^:]*):([\d.]+):/.exec(line);
  if (!match) return;
  const half = Number(match[3]) / 200;
  step.update(place(match[1] === 'dl' ? half : 0.5 + half), match[1] === 'dl' ? 'downloading' : 'installing');
}
