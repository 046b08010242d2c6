/** Owns the command `millrace`: its sub-commands, how errors leave it, and Ctrl-C. */
import { Command, CommanderError, Option } from 'commander';
import { AppError } from '../../shared/errors.ts';
import { registerAccount } from './commands/account.ts';
import { registerBackup } from './commands/backup.ts';
import { registerBudget } from './commands/budget.ts';
import { registerCancel } from './commands/cancel.ts';
import { registerDeadLetters } from './commands/dead-letters.ts';
import { registerCollect } from './commands/collect.ts';
import { registerDoctor } from './commands/doctor.ts';
import { registerEnqueue } from './commands/enqueue.ts';
import { registerExport } from './commands/export.ts';
import { registerFeatures } from './commands/features.ts';
import { registerImport } from './commands/import.ts';
import { registerKey } from './commands/key.ts';
import { registerKeys } from './commands/keys.ts';
import { registerLimit } from './commands/limit.ts';
import { registerMigrate } from './commands/migrate.ts';
import { registerLineage } from './commands/lineage.ts';
import { registerLinks } from './commands/links.ts';
import { registerModels } from './commands/models.ts';
import { registerOrganisation } from './commands/organisation.ts';
import { registerPassword } from './commands/password.ts';
import { registerPerson } from './commands/person.ts';
import { registerQuality } from './commands/quality.ts';
import { registerQuarantine } from './commands/quarantine.ts';
import { registerPrompts } from './commands/prompts.ts';
import { registerRecommend } from './commands/recommend.ts';
import { registerRelease } from './commands/release.ts';
import { registerRun } from './commands/run.ts';
import { registerSchedules } from './commands/schedules.ts';
import { registerSource } from './commands/source.ts';
import { registerStatistics } from './commands/statistics.ts';
import { registerStatus } from './commands/status.ts';
import { registerTrace } from './commands/trace.ts';
import { registerTrail } from './commands/trail.ts';
import { registerTune } from './commands/tune.ts';
import { registerUp } from './commands/up.ts';
import { registerWebhook } from './commands/webhook.ts';
import { registerEvaluate } from './evaluate.ts';
import { audited } from './audited.ts';
import type { Action, Cli } from './cli.ts';
import { EXIT, openOutput } from './output.ts';
import { openSession } from './session.ts';

class Exit extends Error {
  readonly code: number;
  constructor(code: number) {
    super(`exit ${code}`);
    this.code = code;
  }
}

function wantsJson(command: Command): boolean {
  return command.optsWithGlobals<{ json?: boolean }>().json === true;
}

async function runAction(command: Command, action: Action): Promise<void> {
  const output = openOutput(wantsJson(command));
  const stop = new AbortController();
  const onSignal = (): void => stop.abort(new AppError('CANCELLED', { message: 'Stopped by Ctrl-C.' }));
  process.once('SIGINT', onSignal);
  process.once('SIGTERM', onSignal);
  try {
    await using session = openSession(output, stop.signal);
    await audited(command, session, () => action(session));
  } catch (thrown) {
    throw new Exit(output.error(thrown));
  } finally {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  }
}

export function buildProgram(): Command {
  const program = new Command('millrace')
    .description('Distributed job-queue workers for recommender data.')
    .version('0.1.0')
    .addOption(new Option('--json', 'one JSON document on standard output, for programs'))
    .showSuggestionAfterError(true)
    // Complaints leave as coded errors below, also for programs.
    .configureOutput({ outputError: () => {} })
    .exitOverride();
  const cli: Cli = { program, run: runAction };
  registerUp(cli);
  registerDoctor(cli);
  registerImport(cli);
  registerSource(cli);
  registerQuality(cli);
  registerQuarantine(cli);
  registerEnqueue(cli);
  registerRun(cli);
  registerTune(cli);
  registerModels(cli);
  registerCancel(cli);
  registerRelease(cli);
  registerStatus(cli);
  registerRecommend(cli);
  registerPrompts(cli);
  registerLinks(cli);
  registerTrace(cli);
  registerLineage(cli);
  registerTrail(cli);
  registerFeatures(cli);
  registerPerson(cli);
  registerOrganisation(cli);
  registerStatistics(cli);
  registerBudget(cli);
  registerEvaluate(program);
  registerExport(cli);
  registerLimit(cli);
  registerDeadLetters(cli);
  registerWebhook(cli);
  registerKey(cli);
  registerBackup(cli);
  registerCollect(cli);
  registerKeys(cli);
  registerMigrate(cli);
  registerPassword(cli);
  registerAccount(cli);
  registerSchedules(cli);
  return program;
}

/** What the command line gets wrong, with the code that everything else has. */
function usageOf({ message }: CommanderError): AppError {
  const said = message.replace(/^error: /, '').replaceAll('\n', ' ');
  const sentence = said.charAt(0).toUpperCase() + said.slice(1);
  return new AppError('USAGE', { message: /[.?)]$/.test(sentence) ? sentence : `${sentence}.` });
}

/** Runs the command and returns its exit code. */
export async function main(args: readonly string[]): Promise<number> {
  try {
    await buildProgram().parseAsync([...args], { from: 'user' });
    return Number(process.exitCode ?? EXIT.ok);
  } catch (thrown) {
    if (thrown instanceof Exit) return thrown.code;
    // Commander has printed the help or the version that was asked for, or the help of a command that needs another word.
    if (thrown instanceof CommanderError && thrown.exitCode === 0) return EXIT.ok;
    if (thrown instanceof CommanderError && thrown.code === 'commander.help') return EXIT.usage;
    return openOutput(args.includes('--json')).error(thrown instanceof CommanderError ? usageOf(thrown) : thrown);
  }
}
