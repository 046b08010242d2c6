/**
 * Owns `millrace up`: workers, gateway and dashboard as processes of their own, demo data on an empty store, and the
 * newcomer's print-out. It stays up until Ctrl-C.
 */
import { join } from 'node:path';
import type { Command } from 'commander';
import { AppError } from '../../../shared/errors.ts';
import { generatePassword, hashPassword } from '../../../shared/governance/password.ts';
import type { Store } from '../../../shared/store/ports.ts';
import { wholeNumber } from '../arguments.ts';
import { dataSetOf, type DataSet } from '../data-sets.ts';
import { followPipeline } from '../follow-pipeline.ts';
import { loadRecords } from '../load-records.ts';
import type { Cli } from '../cli.ts';
import { duration } from '../output.ts';
import { Processes } from '../processes.ts';
import { progressBar } from '../progress-bar.ts';
import type { Session } from '../session.ts';
import { readUnfinished, removeUnfinished, type Unfinished, writeUnfinished } from '../unfinished.ts';
import { loadReportLines } from './import.ts';
import { recommend, recommendationLines } from './recommend.ts';

interface Options {
  readonly data?: string;
  readonly people?: number;
  readonly videos?: number;
  readonly events?: number;
  readonly load: boolean;
}

const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};
const row = (name: string, text: string): void => say(`  ${name.padEnd(20)} ${text}`);

/** The first start makes an account; later ones only name it. */
async function adminLine(store: Store): Promise<string> {
  const there = await store.accounts.read('admin');
  if (there !== undefined) return `user admin, password as set (lost? \`npx millrace password reset\`)`;
  const password = generatePassword();
  await store.accounts.write({
    user: 'admin',
    passwordHash: await hashPassword(password),
    role: 'admin',
    initial: true,
  });
  return `user admin, initial password ${password}`;
}

async function startProcesses(processes: Processes, session: Session): Promise<void> {
  // A port that is set is the workers': three processes cannot share it.
  const health = { MILLRACE_HEALTH_PORT: '0' };
  const demo = { MILLRACE_DEMO: 'true' };
  await Promise.all([
    processes.start({ title: 'worker', script: 'workers/main.ts' }),
    processes.start({ title: 'gateway', script: 'jobs/gateway/main.ts', env: health }),
    processes.start({ title: 'dashboard', script: 'dashboard/main.ts', env: { ...health, ...demo } }),
  ]);
  session.signal.throwIfAborted();
}

interface Wanted extends Unfinished {
  readonly set: DataSet;
}

/** Loads a data set and runs the pipeline over it. A start that is stopped in between is finished by the next one. */
async function fill(session: Session, { data: name, size, set: data }: Wanted): Promise<void> {
  writeUnfinished(session.config, { data: name, size });
  row('data', data.summary);
  const bar = progressBar({ title: data.title });
  const startedMs = Date.now();
  const report = await loadRecords(session.client(), data.records, {
    purposes: ['recommendation', 'segmentation', 'audit'],
    signal: session.signal,
    onProgress: (done, total, label) => bar.update(done, total, label),
  });
  const took = duration(Date.now() - startedMs);
  bar.end(took);
  for (const line of loadReportLines({ ...report, rejections: [] }, ['recommendation', 'segmentation', 'audit'], took))
    say(`  ${line}`);
  const started = await session.client().pipelines.refresh.start();
  await followPipeline(started, { title: 'refresh', silent: false, signal: session.signal });
  removeUnfinished(session.config);
}

async function showcase(store: Store, tenant: string, people: DataSet['showcase']): Promise<void> {
  for (const { user, name } of people) {
    const found = await recommend(store, tenant, user, 5);
    say(`\n  For ${name}, from release ${found.release}:`);
    for (const line of recommendationLines(found)) say(`  ${line}`);
  }
}

/** Sizes of the simulated platform that were asked for. */
function sizeOf({ people, videos, events }: Options): Unfinished['size'] {
  return {
    ...(people === undefined ? {} : { people }),
    ...(videos === undefined ? {} : { videos }),
    ...(events === undefined ? {} : { events }),
  };
}

/** What to load: asked for by name, or what a stopped start left half loaded, or the demo on an empty store, or nothing. */
async function wanted(options: Options, store: Store, session: Session): Promise<Wanted | undefined> {
  if (!options.load) return undefined;
  const left = readUnfinished(session.config);
  const empty = async (): Promise<boolean> => (await store.events.count(session.config.tenant)) === 0;
  const data = options.data ?? left?.data ?? ((await empty()) ? 'simulated' : undefined);
  if (data === undefined) return undefined;
  const size = options.data === undefined && left !== undefined ? left.size : sizeOf(options);
  return { data, size, set: await dataSetOf(data, session.signal, size) };
}

async function up(session: Session, options: Options): Promise<void> {
  const { config, signal } = session;
  const store = await session.store();
  const data = await wanted(options, store, session);
  const account = await adminLine(store);
  await using processes = new Processes({
    env: process.env,
    logDir: join(config.stateDir, 'logs'),
    signal,
    say: (text) => say(`  ${text}`),
  });
  await startProcesses(processes, session);
  const live = await store.releases.live(config.tenant);
  if (data !== undefined) await Promise.race([fill(session, data), processes.died]);
  else if (live === undefined) row('published', 'nothing yet: `npx millrace run refresh --wait`');
  else row('published', `${live.version}, of ${new Date(live.asOf).toISOString()}`);
  if (data !== undefined) await showcase(store, config.tenant, data.set.showcase);
  say('');
  const scheme = config.https === undefined ? 'http' : 'https';
  row('Dashboard', `${scheme}://${config.host}:${config.dashboardPort}   ${account}`);
  row(
    'Gateway',
    `${scheme}://${config.host}:${config.gatewayPort}   docs at /docs, keys with \`npx millrace key create --scope recommendations:read\``,
  );
  row('', 'Ctrl-C stops everything. Data stays in the state folder.');
  const stopped = new Promise<'stopped'>((resolve) => {
    if (signal.aborted) resolve('stopped');
    signal.addEventListener('abort', () => resolve('stopped'), { once: true });
  });
  await Promise.race([stopped, processes.died]);
  say('\n  stopping');
}

export function registerUp({ program, run }: Cli): void {
  program
    .command('up')
    .description(
      'start workers, gateway and dashboard, and stay up; an empty store is filled with a simulated platform',
    )
    .option('--data <set>', 'load this first: simulated, or movielens:DIR')
    .option('--people <n>', 'size of the simulated platform: accounts (2,000)', wholeNumber(10, 1_000_000))
    .option('--videos <n>', 'size of the simulated platform: videos (5,000)', wholeNumber(20, 1_000_000))
    .option(
      '--events <n>',
      'size of the simulated platform: about so many events (400,000)',
      wholeNumber(100, 200_000_000),
    )
    .option('--no-load', 'load nothing, also on an empty store')
    .action((options: Options, command: Command) =>
      run(command, async (session) => {
        if (session.output.json)
          throw new AppError('USAGE', { message: '`up` stays up and prints for people; programs use the gateway.' });
        await up(session, options);
      }),
    );
}
