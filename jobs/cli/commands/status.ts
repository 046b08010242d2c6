/** Owns `millrace status`: queues, latest runs, what is published. */
import type { Command } from 'commander';
import { Queue } from 'bullmq';
import type { Config } from '../../../shared/config.ts';
import type { PipelineRunDocument, Release, RunDocument, Store } from '../../../shared/store/ports.ts';
import { RedisConnection } from '../../client/redis-connection.ts';
import { JOB_KINDS } from '../../registry.ts';
import { foundSkew, skewLine } from '../../../shared/store/feature-skew.ts';
import { modelAge, oldModelLine } from '../../../shared/store/model-age.ts';
import type { Cli } from '../cli.ts';
import { sourceAlerts } from '../../../shared/store/source-reports.ts';
import type { Session } from '../session.ts';
import { missedLine } from './schedules.ts';
import { count, duration, table } from '../output.ts';

interface QueueCounts {
  readonly kind: string;
  readonly waiting: number;
  readonly active: number;
  readonly delayed: number;
  readonly failed: number;
  readonly completed: number;
}

async function countQueues({ redisUrl, redisTls, prefix }: Config): Promise<QueueCounts[]> {
  const connection = new RedisConnection(redisUrl, redisTls);
  try {
    // Queues wait for ever for a Redis that is away: it must answer before they see it.
    const redis = await connection.ready();
    return await Promise.all(
      JOB_KINDS.map(async (kind) => {
        const queue = new Queue(kind, { connection: redis, prefix });
        const found = await queue.getJobCounts('waiting', 'prioritized', 'active', 'delayed', 'failed', 'completed');
        const { waiting = 0, prioritized = 0, active = 0, delayed = 0, failed = 0, completed = 0 } = found;
        return { kind, waiting: waiting + prioritized, active, delayed, failed, completed };
      }),
    );
  } finally {
    connection.close();
  }
}

function runRow(run: RunDocument): string[] {
  const took = run.endedAt === undefined ? '' : duration(run.endedAt - run.claimedAt);
  return [
    '',
    new Date(run.createdAt).toISOString().slice(0, 19),
    run.kind,
    run.state,
    took,
    run.error?.code ?? run.lineage?.engine ?? '',
    run.runKey.split('.').at(-1)?.slice(0, 12) ?? '',
  ];
}

function releaseLines(live: Release | undefined): string[] {
  if (live === undefined) return ['  Nothing is published yet: `millrace run refresh --wait`.'];
  const parts = (['dataset', 'embeddings', 'segments', 'candidates', 'audit'] as const).map((name) => [
    `  ${name}`,
    live[name] ?? '-',
  ]);
  return [`  ${live.version}, of ${new Date(live.asOf).toISOString()}`, ...table(parts)];
}

const STEPS_NAMED_MAX = 12;

/** Each step with its state; of many, how many are in each. */
function stepWords(steps: PipelineRunDocument['steps']): string[] {
  const all = Object.entries(steps);
  if (all.length <= STEPS_NAMED_MAX) return all.map(([name, { state }]) => `${name}:${state}`);
  const counts = new Map<string, number>();
  for (const [, { state }] of all) counts.set(state, (counts.get(state) ?? 0) + 1);
  return [...counts].map(([state, many]) => `${count(many)} ${state}`);
}

async function gather({ config, client }: Pick<Session, 'config' | 'client'>, store: Store, limit: number) {
  const { tenant } = config;
  const [schedules, queues, runs, pipelines, live, people, items, events, model, held, skew, sources] =
    await Promise.all([
      client().schedules.list(),
      countQueues(config),
      store.ledger.latest(tenant, limit),
      store.pipelineRuns.latest(tenant, 5),
      store.releases.live(tenant),
      store.people.count(tenant),
      store.items.count(tenant),
      store.events.count(tenant),
      modelAge(store, tenant, config.modelAgeMsMax, Date.now()),
      store.verdicts.count(tenant),
      foundSkew(store, tenant),
      sourceAlerts(store, tenant, Date.now()),
    ]);
  const stored = { people, items, events, held };
  return { tenant, sources, stored, queues, runs, pipelines, live, model, skew, schedules };
}

export function registerStatus({ program, run }: Cli): void {
  program
    .command('status')
    .description('queues, latest runs, what is published')
    .action((_options: unknown, command: Command) =>
      run(command, async (session) => {
        const { output, store } = session;
        const status = await gather(session, await store(), 12);
        const missed = status.schedules.map(missedLine).filter((line) => line !== undefined);
        output.result(status, () => [
          `Stored      ${count(status.stored.people)} people, ${count(status.stored.items)} items, ${count(status.stored.events)} events`,
          ...(status.stored.held === 0
            ? []
            : [
                `Held        ${count(status.stored.held)} accounts are not taken for people: \`millrace quality list\``,
              ]),
          ...status.sources.map(
            ({ source, day, says }) => `Source      ${source}, ${day}: ${says}: \`millrace quality report\``,
          ),
          ...(missed.length === 0 ? [] : ['Missed ticks', ...missed.map((line) => `  ${line}`)]),
          'Published',
          ...releaseLines(status.live),
          ...[oldModelLine(status.model), skewLine(status.skew)]
            .filter((line) => line !== undefined)
            .map((line) => `  ${line}`),
          'Queues',
          ...table([
            ['  kind', 'waiting', 'active', 'delayed', 'failed', 'completed'],
            ...status.queues.map((q) => [
              `  ${q.kind}`,
              ...[q.waiting, q.active, q.delayed, q.failed, q.completed].map(count),
            ]),
          ]),
          'Pipelines',
          ...table(status.pipelines.map((p) => [`  ${p.id}`, p.state, ...stepWords(p.steps)])),
          'Latest runs',
          ...table(status.runs.map(runRow)),
        ]);
      }),
    );
}
