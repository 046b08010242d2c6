/** Owns the end of a process that met what nobody caught: one line that says where, never what was in hand, and exit code 1. */

/** Where an unexpected error came from: its name and the frames of its stack, without its words, which may quote data. */
export function framesOf(cause: unknown): string | undefined {
  if (!(cause instanceof Error)) return undefined;
  const frames = (cause.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  return [cause.name, ...frames].join('\n');
}

/**
 * A rejection that nobody handles reaches the same place as an exception (Node's own policy). The process is in a state that nobody
 * thought of, so it ends: whoever started it starts another, and its runs are taken over once their locks have run out.
 */
export function endOnUncaught(): void {
  process.on('uncaughtException', (thrown) => {
    const line = { level: 'fatal', code: 'INTERNAL', message: 'Something was not caught.', cause: framesOf(thrown) };
    process.stderr.write(`${JSON.stringify(line)}\n`);
    process.exit(1);
  });
}
