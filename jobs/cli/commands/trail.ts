/** Owns `millrace trail`: the audit trail, whether it was touched, and its head for keeping elsewhere. */
import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { Redis } from 'ioredis';
import { z } from 'zod';
import { redisTls } from '../../../shared/contract-kit/tls.ts';
import { AppError } from '../../../shared/errors.ts';
import { keptTrailHead } from '../../../shared/governance/trail-heads.ts';
import { faultLine, NO_HEAD } from '../../../shared/governance/trail-words.ts';
import type { SignedTrailHead, TrailEntry, TrailQuery } from '../../../shared/store/ports.ts';
import { moment, wholeNumber } from '../arguments.ts';
import type { Cli } from '../cli.ts';
import { count, table } from '../output.ts';
import type { Session } from '../session.ts';

const LISTED_MAX = 10_000;
const CHARS_SHOWN = 12;

interface Asked {
  readonly since?: number;
  readonly actor?: string;
  readonly act?: string;
  readonly person?: string;
  readonly outcome?: string;
  readonly limit: number;
}

function entryLine(entry: TrailEntry): string[] {
  const { n, at, actor, act, object, ids = [], person, outcome, count: times } = entry;
  const what = [object, ...ids.map((id) => id.slice(-CHARS_SHOWN))].join(' ');
  return [
    String(n),
    new Date(at).toISOString(),
    `${actor.kind} ${actor.id}`.trim(),
    act,
    times === undefined ? what : `${what} (${count(times)} times)`,
    person?.slice(0, CHARS_SHOWN) ?? '',
    outcome,
  ];
}

const headSchema = z.object({
  head: z.object({ tenant: z.string(), n: z.int(), hash: z.string(), at: z.number() }),
  signature: z.string(),
  publicKey: z.string(),
});

async function headIn(file: string): Promise<SignedTrailHead> {
  try {
    return headSchema.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch (cause) {
    throw new AppError('USAGE', {
      message: `${file} holds no head of a trail (\`millrace trail head --json\`).`,
      cause,
    });
  }
}

async function headInRedis({ config, output }: Session): Promise<SignedTrailHead | undefined> {
  const redis = new Redis(config.redisUrl, {
    ...redisTls(config.redisUrl, config.redisTls),
    maxRetriesPerRequest: 1,
  });
  redis.on('error', () => {});
  try {
    return await keptTrailHead(redis, config.prefix, config.tenant);
  } catch {
    output.note('Redis does not answer: the head that it keeps is not looked at.');
    return undefined;
  } finally {
    redis.disconnect();
  }
}

async function list({ config, output, store }: Session, { person, limit, ...asked }: Asked): Promise<void> {
  const { trail, people } = await store();
  const about = person === undefined ? {} : { subject: people.keys(config.tenant, [person])[0]! };
  const query: TrailQuery = { ...asked, ...about };
  const entries = await trail.read(config.tenant, query, limit);
  output.result({ entries }, () =>
    entries.length === 0 ? ['No such entry.'] : table(entries.toReversed().map(entryLine)),
  );
}

async function verify(session: Session, files: readonly string[]): Promise<void> {
  const { config, output, store } = session;
  const given = await Promise.all(files.map(headIn));
  const kept = await headInRedis(session);
  const heads = kept === undefined ? given : [...given, kept];
  const report = await (await store()).trail.verify(config.tenant, heads);
  if (report.faults.length > 0)
    throw new AppError('TRAIL_BROKEN', {
      message: report.faults.map(faultLine).join(' '),
      details: { ...report },
    });
  output.result(report, () => [
    `${count(report.checked)} entries, ${report.first} to ${report.last}: each is as it was written, and none is missing.`,
    heads.length === 0
      ? NO_HEAD
      : `Held against ${heads.length === 1 ? 'a head' : `${heads.length} heads`} from outside of the store.`,
  ]);
}

export function registerTrail({ program, run }: Cli): void {
  const trail = program.command('trail').description('who looked at or did what: the audit trail');
  trail
    .command('list', { isDefault: true })
    .description('entries, the latest last')
    .option('--since <time>', 'not before that moment', moment)
    .option(
      '--actor <name>',
      'of one account, key, run or user of the machine; or of all of a kind: account, key, person, command, run',
    )
    .option('--act <permission>', 'of one permission, as in docs/privacy.md')
    .option('--person <user>', 'about one person')
    .option('--outcome <outcome>', 'allowed, refused, or a code')
    .option('--limit <n>', 'at most so many', wholeNumber(1, LISTED_MAX), 50)
    .action((options: Asked, command: Command) => run(command, (session) => list(session, options)));
  trail
    .command('verify')
    .description('whether an entry was changed, removed, put in or moved, and whether the end is there')
    .option('--head <files...>', 'heads that were kept elsewhere; the one in Redis is looked at anyway')
    .action(({ head = [] }: { head?: string[] }, command: Command) => run(command, (session) => verify(session, head)));
  trail
    .command('head')
    .description('the signed head of the trail, for keeping elsewhere')
    .action((_options: unknown, command: Command) =>
      run(command, async ({ config, output, store }) => {
        const signed = await (await store()).trail.head(config.tenant);
        if (signed === undefined) throw new AppError('NOT_FOUND', { message: 'Nothing is in the trail.' });
        output.result(signed, () => JSON.stringify(signed));
      }),
    );
}
