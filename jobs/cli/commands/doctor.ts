/** Owns `millrace doctor`: what was found, its version, what is missing, and the command that mends it. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Command } from 'commander';
import { z } from 'zod';
import { type Config, PROJECT_DIR, readConfig } from '../../../shared/config.ts';
import { toAppError } from '../../../shared/errors.ts';
import { foundSkew, skewLine } from '../../../shared/store/feature-skew.ts';
import { modelAge, oldModelLine } from '../../../shared/store/model-age.ts';
import { openStore, storeAt } from '../../../shared/store/mongo/open.ts';
import type { Store } from '../../../shared/store/ports.ts';
import { connect } from '../../client/index.ts';
import { RedisConnection } from '../../client/redis-connection.ts';
import type { Cli } from '../cli.ts';
import { EXIT, openOutput, table } from '../output.ts';
import { sourceAlerts } from '../../../shared/store/source-reports.ts';
import { leftOf } from './keys.ts';
import { missedLine } from './schedules.ts';

const findingSchema = z.object({
  name: z.string(),
  state: z.enum(['ready', 'missing', 'failed']),
  version: z.string().optional(),
  detail: z.string().optional(),
  todo: z.string().optional(),
  /** Nothing stops without it. */
  optional: z.boolean().optional(),
});
type Finding = z.output<typeof findingSchema>;

/** What set-up sees: tools, packages, kernels, caches. Set-up is plain JavaScript of its own, so it is asked as a program. */
async function probeMachine(): Promise<Finding[]> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [join(PROJECT_DIR, 'docker/local/probe.mjs'), '--json'],
    { maxBuffer: 1 << 20 },
  );
  return z.array(findingSchema).parse(JSON.parse(stdout));
}

const INFO_VERSION = /redis_version:(\S+)/;

async function probeRedis({ redisUrl, redisTls }: Config): Promise<Finding> {
  const connection = new RedisConnection(redisUrl, redisTls);
  try {
    const redis = await connection.ready();
    const version = INFO_VERSION.exec(await redis.info('server'))?.[1];
    const policy = await redis.config('GET', 'maxmemory-policy');
    const detail =
      policy[1] === 'noeviction' ? 'answers' : `answers, but maxmemory-policy is ${policy[1]}: jobs may be evicted`;
    return { name: 'Redis service', state: 'ready', detail, ...(version === undefined ? {} : { version }) };
  } catch (thrown) {
    return {
      name: 'Redis service',
      state: 'failed',
      detail: toAppError(thrown).message,
      todo: 'npm start, or set REDIS_URL',
    };
  } finally {
    connection.close();
  }
}

/** Ticks that are due and that no worker takes. */
async function probeSchedules({ redisUrl, redisTls: tls, sealKeys, tenant, prefix }: Config): Promise<Finding[]> {
  await using client = connect({ redis: redisUrl, tls, seal: sealKeys, tenant, prefix });
  const overdue = (await client.schedules.list()).filter((schedule) => schedule.overdue !== undefined);
  return overdue.map((schedule) => ({
    name: 'schedule',
    state: 'failed',
    detail: missedLine(schedule) ?? schedule.name,
    todo: 'start workers: npm start',
  }));
}

/** Blocks that an older version wrote. */
async function probeFormats(store: Store, tenant: string): Promise<Finding[]> {
  const { writes, newest, lagging, blocks } = await store.formats.status(tenant);
  const detail = `blocks are written in format ${writes} of ${newest}; ${lagging} of ${blocks} lag`;
  const name = 'store format';
  if (lagging === 0 && (writes === newest || blocks === 0)) return [{ name, state: 'ready', detail }];
  const todo = writes < newest ? 'millrace migrate enable, once no older version runs' : 'millrace migrate run';
  return [{ name, state: 'missing', detail, todo, optional: true }];
}

/** Where keys come from, and what lies under which master key. */
async function probeKeys({ keyring }: Store, { keyProviders }: Config): Promise<Finding[]> {
  const keys = await keyring.masters();
  const left = leftOf(keys);
  const ids = keys.filter(({ held }) => held).map(({ id, current }) => (current ? `${id} (current)` : id));
  const from = `from the ${keyProviders.master}; tenant key from the ${keyProviders.tenant}, seal keys from the ${keyProviders.seal}`;
  const name = 'master keys';
  const detail = `${ids.join(', ')}, ${from}`;
  if (left === 0) return [{ name, state: 'ready', detail }];
  const todo = 'millrace keys rotate, once every process gives the current one first';
  return [{ name, state: 'missing', detail: `${detail}; ${left} keys lie under older ones`, todo, optional: true }];
}

/** Sources of which something leapt today or yesterday. */
async function probeSources(store: Store, tenant: string): Promise<Finding[]> {
  const alerts = await sourceAlerts(store, tenant, Date.now());
  return alerts.map(({ source, day, says }) => ({
    name: `source ${source}`,
    state: 'failed',
    detail: `${day}: ${says}`,
    todo: `millrace quality report --source ${source}`,
    optional: true,
  }));
}

async function probeServices(): Promise<Finding[]> {
  try {
    const config = readConfig();
    const redis = await probeRedis(config);
    try {
      await using store = await openStore(storeAt(config));
      const { server, ms } = await store.ping();
      const old = oldModelLine(await modelAge(store, config.tenant, config.modelAgeMsMax, Date.now()));
      const skew = skewLine(await foundSkew(store, config.tenant));
      return [
        redis,
        { name: 'MongoDB service', state: 'ready', version: server, detail: `answers in ${ms.toFixed(1)} ms` },
        ...(await probeKeys(store, config)),
        ...(await probeFormats(store, config.tenant)),
        ...(await probeSources(store, config.tenant)),
        ...(redis.state === 'ready' ? await probeSchedules(config) : []),
        ...(old === undefined ? [] : [{ name: 'live model', state: 'failed' as const, detail: old, optional: true }]),
        ...(skew === undefined ? [] : [{ name: 'features', state: 'failed' as const, detail: skew, optional: true }]),
      ];
    } catch (thrown) {
      const { code, message: detail } = toAppError(thrown);
      if (code === 'KEY_WRONG' || code === 'MASTER_KEY_MISSING')
        return [redis, { name: 'keys', state: 'failed', detail }];
      return [redis, { name: 'MongoDB service', state: 'failed', detail, todo: 'npm start, or set MONGODB_URL' }];
    }
  } catch (thrown) {
    return [{ name: 'services', state: 'missing', detail: toAppError(thrown).message, todo: 'npm start' }];
  }
}

const MARK = { ready: 'ok', missing: '--', failed: '!!' } as const;

export function registerDoctor({ program }: Cli): void {
  program
    .command('doctor')
    .description('what was found, its version, and what is missing')
    .action(async (_options: unknown, command: Command) => {
      // No session: the doctor must work where the configuration does not.
      const output = openOutput(command.optsWithGlobals<{ json?: boolean }>().json === true);
      const findings = [...(await probeMachine()), ...(await probeServices())];
      const bad = findings.filter(({ state, optional }) => state !== 'ready' && optional !== true);
      output.result({ healthy: bad.length === 0, findings }, () => [
        ...table(
          findings.map((f) => [
            MARK[f.state],
            f.name,
            f.version ?? '',
            [f.detail ?? '', f.todo === undefined ? '' : `-> ${f.todo}`].filter((part) => part !== '').join('  '),
          ]),
        ),
        bad.length === 0 ? 'Everything needed is there.' : `${bad.length} to mend.`,
      ]);
      if (bad.length > 0) process.exitCode = EXIT.unavailable;
    });
}
