/** Owns `millrace limit`: how many unfinished jobs a tenant may have of a kind, and how fast it may ask. */
import type { Command } from 'commander';
import { Redis } from 'ioredis';
import { redisTls } from '../../../shared/contract-kit/tls.ts';
import { setQueueLimit } from '../../client/queue-limits.ts';
import { contractOf } from '../../registry.ts';
import { wholeNumber } from '../arguments.ts';
import type { Cli } from '../cli.ts';

interface LimitOptions {
  readonly every?: true;
  readonly source?: string;
  readonly backlog?: number;
  readonly rate?: number;
  readonly burst: number;
  readonly clear?: true;
}

const JOBS_MAX = 1_000_000_000;
const RATE_MAX = 1_000_000;

export function registerLimit({ program, run }: Cli): void {
  program
    .command('limit <kind>')
    .description('bound the unfinished jobs of a kind, or how fast they may come; holds from the next job on')
    .option('--every', 'for each tenant without a limit of its own, instead of this tenant')
    .option('--source <source>', 'the rate of one source of this tenant')
    .option('--backlog <jobs>', 'most unfinished jobs', wholeNumber(1, JOBS_MAX))
    .option('--rate <jobs>', 'jobs a second', wholeNumber(1, RATE_MAX))
    .option('--burst <jobs>', 'how many may come at once', wholeNumber(1, RATE_MAX), 100)
    .option('--clear', 'take bound and rate away again')
    .action((kind: string, options: LimitOptions, command: Command) =>
      run(command, async ({ config, output }) => {
        contractOf(kind);
        const { every, source, backlog, rate, burst, clear } = options;
        const limit = {
          tenant: every === true ? '*' : config.tenant,
          ...(source === undefined ? {} : { source }),
          ...(clear === true ? { rate: null, ...(source === undefined ? { backlogMax: null } : {}) } : {}),
          ...(backlog === undefined ? {} : { backlogMax: backlog }),
          ...(rate === undefined ? {} : { rate: { perSecond: rate, burst } }),
        };
        const redis = new Redis(config.redisUrl, {
          ...redisTls(config.redisUrl, config.redisTls),
          maxRetriesPerRequest: 1,
        });
        redis.on('error', () => {}); // the command that fails says so
        try {
          await setQueueLimit(redis, config.prefix, kind, limit);
        } finally {
          redis.disconnect();
        }
        output.result({ kind, ...limit }, () => `The limits of ${kind} are set.`);
      }),
    );
}
