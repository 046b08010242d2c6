// @ts-check
/**
 * Owns the one error of set-up: what failed, and the one thing that mends it.
 *
 * Set-up runs on the machine's own Node before any package is there, so it cannot use shared/errors.ts;
 * a SetupError is printed as two lines and never as a stack.
 */

export class SetupError extends Error {
  /**
   * @param {string} what what failed, and why
   * @param {string} todo the command or the change that mends it
   * @param {{cause?: unknown}} [options]
   */
  constructor(what, todo, options) {
    super(what, options);
    this.name = 'SetupError';
    this.todo = todo;
  }
}

/**
 * Prints any failure the way a person needs it and gives the exit code: 1 failed, 130 interrupted.
 * @param {unknown} error
 * @returns {number}
 */
export function reportFailure(error) {
  if (error instanceof SetupError) {
    process.stderr.write(`\n  ${error.message}\n  ${error.todo}\n`);
  } else {
    process.stderr.write(`\n${error instanceof Error ? error.stack : String(error)}\n`);
  }
  return 1;
}

/**
 * The message of anything thrown.
 * @param {unknown} error
 * @returns {string}
 */
export function messageOf(error) {
  if (error instanceof AggregateError && error.errors.length > 0) return messageOf(error.errors[0]);
  if (!(error instanceof Error)) return String(error);
  // fetch says only that it failed; why stands in the cause.
  return error instanceof TypeError && error.cause instanceof Error ? messageOf(error.cause) : error.message;
}
