#!/usr/bin/env node
/**
 * Owns the entry of `millrace`. Plain JavaScript, so that an older Node can run it: it then starts the project's own Node
 * (the npm package `node`) with the same arguments and passes signals and the exit code on.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MAJOR_NEEDED = 24;

if (Number(process.versions.node.split('.')[0]) >= MAJOR_NEEDED) {
  // The reader of a pipe may leave early (`millrace export events | head`): that is no error.
  process.stdout.on('error', (error) => process.exit('code' in error && error.code === 'EPIPE' ? 0 : 1));
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '2'; // here, as the threads that load libtensorflow cannot set what it reads
  const { flushed } = await import('./flush.mjs');
  const { main } = await import('./main.ts');
  process.exitCode = await main(process.argv.slice(2));
  // A slow reader of a pipe still waits for the last lines; ending now would cut them off.
  await flushed([process.stdout, process.stderr]);
  process.exit(); // what a command left open (a socket of a service that is away) must not keep it from ending
} else {
  const projectDir = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
  const node = join(projectDir, 'node_modules', '.bin', 'node');
  if (!existsSync(node)) {
    console.error(
      `CONFIG_INVALID: Node ${MAJOR_NEEDED} is not installed. Run \`npm start\` once: it sets everything up.`,
    );
    process.exit(2);
  }
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 143)));
}
