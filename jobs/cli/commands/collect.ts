/** Owns `millrace collect`: what nobody names goes from the store now, or is only told. */
import { Redis } from 'ioredis';
import { redisTls } from '../../../shared/contract-kit/tls.ts';
import type { Command } from 'commander';
import { COLLECTED, type CollectionReport, type Store } from '../../../shared/store/ports.ts';
import { COLLECTION_WINDOW_MS, RedisJobs } from '../../collection.ts';
import type { Cli } from '../cli.ts';
import { table } from '../output.ts';
import type { Session } from '../session.ts';

const WORDS: Readonly<Record<(typeof COLLECTED)[number], string>> = {
  releases: 'releases',
  versions: 'versions',
  blocks: 'blocks',
  manifestEntries: 'superseded manifest entries',
  claimParts: 'parts of payload claims',
  runs: 'runs',
  pipelineRuns: 'pipeline runs',
  exposures: 'exposures',
  quarantine: 'quarantined batches',
  personWindows: 'counts of people near a limit',
  lineage: 'noted batches',
  lineageEvents: 'told events of runs',
};

const dateOf = (ms: number): string => new Date(ms).toISOString();

/** What people read: sums, then the versions that stay, by why. */
export function collectionLines({ dryRun, before, heldBy, tallies, versions }: CollectionReport): string[] {
  const reasons = new Map<string, number>();
  for (const { why } of versions) reasons.set(why, (reasons.get(why) ?? 0) + 1);
  return [
    ...table([
      ['', 'there', 'unnamed, stays for now', dryRun ? 'would go' : 'gone'],
      ...COLLECTED.map((what) => {
        const { seen, waiting, gone } = tallies[what];
        return [WORDS[what], String(seen), String(waiting), String(gone)];
      }),
    ]),
    `Versions: ${[...reasons].map(([why, n]) => `${n} ${why}`).join(', ') || 'none'}.`,
    `What has been unnamed since before ${dateOf(before)} ${dryRun ? 'would go' : 'went'}.`,
    ...(heldBy === undefined ? [] : [`The run ${heldBy} is at work since then, and holds back what is newer.`]),
  ];
}

async function collect({ config, signal }: Session, store: Store, dryRun: boolean): Promise<CollectionReport> {
  const { prefix, keepRunsMs, keepReleases, keepExposuresMs, keepLineageMs } = config;
  const redis = new Redis(config.redisUrl, {
    ...redisTls(config.redisUrl, config.redisTls),
    maxRetriesPerRequest: 1,
    lazyConnect: true,
  });
  redis.on('error', () => {}); // commands reject
  try {
    await redis.connect();
    const rules = { windowMs: COLLECTION_WINDOW_MS, keepRunsMs, keepReleases, keepExposuresMs, keepLineageMs };
    return await store.collector.collect(rules, new RedisJobs(redis, prefix), {
      dryRun,
      mayGoOn: async () => !signal.aborted,
    });
  } finally {
    redis.disconnect();
  }
}

export function registerCollect({ program, run }: Cli): void {
  program
    .command('collect')
    .description('remove what nobody names any more; a worker does so once an hour')
    .option('--dry-run', 'tell what would go, and why the rest stays')
    .action(({ dryRun = false }: { dryRun?: boolean }, command: Command) =>
      run(command, async (session) => {
        const report = await collect(session, await session.store(), dryRun);
        session.signal.throwIfAborted();
        session.output.result(report, () => collectionLines(report));
      }),
    );
}
