/** Owns a program with `evaluate` alone: its test must not depend on the other commands. */
import { Command } from 'commander';
import { toAppError } from '../../shared/errors.ts';
import { registerEvaluate } from './evaluate.ts';

const program = new Command('millrace');
registerEvaluate(program);
try {
  await program.parseAsync();
} catch (thrown) {
  console.error(toAppError(thrown).message);
  process.exitCode = 3;
}
