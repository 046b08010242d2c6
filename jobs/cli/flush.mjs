// @ts-check
/** Owns the last moment of the command: what was said must reach a slow reader before the process ends. */

/** Resolves once everything written to these streams has been handed over. */
export async function flushed(/** @type {readonly import('node:stream').Writable[]} */ streams) {
  await Promise.all(streams.map((stream) => new Promise((done) => stream.write('', done))));
}
