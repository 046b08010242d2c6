/** Owns `millrace enqueue`: any job from the command line. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { AppError } from '../../../shared/errors.ts';
import { contractOf, JOB_KINDS, type JobKind } from '../../registry.ts';
import { jsonObject } from '../arguments.ts';
import type { Cli } from '../cli.ts';
import { followJob } from '../waiting.ts';

interface Options {
  readonly input: string;
  readonly key?: string;
  readonly wait?: boolean;
}

/** `-` reads standard input, `@FILE` a file, anything else is the JSON itself. */
function readInput(text: string): Record<string, unknown> {
  if (text !== '-' && !text.startsWith('@')) return jsonObject(text, '--input');
  const path = text === '-' ? 0 : text.slice(1);
  try {
    return jsonObject(readFileSync(path, 'utf8'), '--input');
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw new AppError('FILE_NOT_FOUND', { message: `${text.slice(1)} cannot be read.`, cause });
  }
}

export function registerEnqueue({ program, run }: Cli): void {
  program
    .command('enqueue <kind>')
    .description(`enqueue one job: ${JOB_KINDS.join(', ')}`)
    .requiredOption('--input <json>', "the job's input: JSON, @FILE, or - for standard input")
    .option('--key <key>', 'idempotency key: the same key has its effect once')
    .option('--wait', 'wait for the output')
    .action((kind: string, options: Options, command: Command) =>
      run(command, async (session) => {
        const { output, client } = session;
        contractOf(kind);
        const input = readInput(options.input);
        const jobs = client().job(kind as JobKind);
        const handle = await jobs.enqueue(input as never, options.key === undefined ? {} : { key: options.key });
        if (options.wait !== true) {
          const ids = 'ids' in handle ? handle.ids : [handle.id];
          output.result({ ids }, () => `Enqueued ${kind}: ${ids.join(', ')}`);
          return;
        }
        const result = await followJob<unknown>(session, kind as JobKind, kind, handle);
        output.result(result, () => JSON.stringify(result, undefined, 2));
      }),
    );
}
