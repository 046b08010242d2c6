/** Owns `millrace quality`: reports of sources; accounts that are not taken for people, why, and letting them go. */
import type { Command } from 'commander';
import { AppError } from '../../../shared/errors.ts';
import type { HeldAccount } from '../../../shared/store/ports.ts';
import { wholeNumber } from '../arguments.ts';
import type { Cli } from '../cli.ts';
import { count, table } from '../output.ts';
import { registerQualityReport } from './quality-report.ts';

const SHOWN_MAX = 1_000;
const SUBJECT = /^[0-9a-f]{32}$/;

const reasonWords = ({ reasons }: HeldAccount): string =>
  reasons
    .map(({ trace, figure, limit, accounts }) => {
      const of = accounts === undefined ? '' : ` of ${count(accounts)} accounts`;
      return `${trace}${of} ${figure.toFixed(2)} > ${limit.toFixed(2)}`;
    })
    .join('; ');

export function registerQuality({ program, run }: Cli): void {
  const quality = program
    .command('quality')
    .description('what comes from each source, and accounts that are not taken for people');
  registerQualityReport(quality, run);
  quality
    .command('list')
    .description('whose events are kept out of learning, and why')
    .option('--released', 'those who were let go instead')
    .option('--limit <n>', 'at most so many, the newest first', wholeNumber(1, SHOWN_MAX), 50)
    .action((options: { released?: true; limit: number }, command: Command) =>
      run(command, async ({ config, output, store }) => {
        const { verdicts } = await store();
        const { tenant } = config;
        const accounts = await verdicts.list(tenant, { released: options.released === true, limit: options.limit });
        const held = await verdicts.count(tenant);
        output.result({ held, accounts }, () => [
          config.quality === 'hold'
            ? `${count(held)} accounts are held.`
            : `${count(held)} accounts would be held (MILLRACE_QUALITY=hold).`,
          ...table(accounts.map((one) => [one.subject, new Date(one.judgedAt).toISOString(), reasonWords(one)])),
        ]);
      }),
    );
  quality
    .command('release <account>')
    .description('let an account’s events count again, for good: its id, or its pseudonym as listed')
    .action((account: string, _options: unknown, command: Command) =>
      run(command, async ({ config, output, store }) => {
        const { people, verdicts } = await store();
        const { tenant } = config;
        const subject = SUBJECT.test(account) ? Buffer.from(account, 'hex') : people.keys(tenant, [account])[0]!;
        if (!(await verdicts.release(tenant, subject)))
          throw new AppError('NOT_FOUND', { message: 'No such account is held.' });
        const released = Buffer.from(subject).toString('hex');
        output.result({ released }, () => [`${released} counts again from the next refresh on.`]);
      }),
    );
}
