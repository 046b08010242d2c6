/** Owns `millrace cancel`: the end of a job or of a pipeline run, wherever it is at work and whoever asked for it. */
import type { Command } from 'commander';
import { jobIdOf } from '../../../shared/contract-kit/names.ts';
import { AppError } from '../../../shared/errors.ts';
import type { PipelineRunDocument, RunDocument, Store } from '../../../shared/store/ports.ts';
import type { JobHandle } from '../../client/job-handle.ts';
import type { PipelineName } from '../../pipelines.ts';
import { JOB_KINDS, type JobKind } from '../../registry.ts';
import type { Cli } from '../cli.ts';
import type { Session } from '../session.ts';
import { noteMissingWorkers } from '../waiting.ts';

/** Latest runs among which a shortened name is looked for. */
const RUNS_LOOKED_AT = 500;
/** As short as a name may be; `status` shows twelve digits. */
const SHORT_NAME_MIN = 6;

interface Found {
  readonly name: string;
  readonly what: 'job' | 'pipeline run';
  /** Undefined: it waits, and no worker has begun it. */
  readonly state: string | undefined;
  cancel(): Promise<void>;
  done(signal: AbortSignal): Promise<unknown>;
}

const hashOf = (name: string): string => name.slice(name.lastIndexOf('.') + 1);

/** The kind in a run key of this tenant's. */
function kindOf(tenant: string, runKey: string): JobKind | undefined {
  return JOB_KINDS.find((kind) => runKey.startsWith(`${tenant}.${kind}.`));
}

async function handleOf(session: Session, kind: JobKind, runKey: string): Promise<JobHandle | undefined> {
  return session.client().job(kind).get(jobIdOf(runKey));
}

async function foundRun(session: Session, { runKey, kind, state }: RunDocument): Promise<Found> {
  const handle = await handleOf(session, kind as JobKind, runKey);
  return {
    name: runKey,
    what: 'job',
    state,
    cancel: async () => handle?.cancel(),
    done: async (signal) => handle?.done({ signal }),
  };
}

function foundPipeline({ client }: Session, { id, pipeline, state }: PipelineRunDocument): Found {
  const run = client().pipelines[pipeline as PipelineName].run(id);
  return { name: id, what: 'pipeline run', state, cancel: () => run.cancel(), done: (signal) => run.done({ signal }) };
}

/** By its whole name: a pipeline run, a run of the ledger, or a job that still waits. */
async function findWhole(session: Session, store: Store, name: string): Promise<Found | undefined> {
  const { tenant } = session.config;
  if (!name.startsWith(`${tenant}.`)) return undefined;
  const pipeline = await store.pipelineRuns.read(name);
  if (pipeline !== undefined) return foundPipeline(session, pipeline);
  const run = await store.ledger.read(name);
  if (run !== undefined) return foundRun(session, run);
  const kind = kindOf(tenant, name);
  const waiting = kind === undefined ? undefined : await handleOf(session, kind, name);
  if (waiting === undefined) return undefined;
  return {
    name,
    what: 'job',
    state: undefined,
    cancel: () => waiting.cancel(),
    done: (signal) => waiting.done({ signal }),
  };
}

/** By the first digits of its hash, as `status` shows them. */
async function findShort(session: Session, store: Store, digits: string): Promise<Found[]> {
  if (digits.length < SHORT_NAME_MIN) return [];
  const { tenant } = session.config;
  const [runs, pipelines] = await Promise.all([
    store.ledger.latest(tenant, RUNS_LOOKED_AT),
    store.pipelineRuns.latest(tenant, RUNS_LOOKED_AT),
  ]);
  return [
    ...pipelines.filter(({ id }) => hashOf(id).startsWith(digits)).map((run) => foundPipeline(session, run)),
    ...(await Promise.all(
      runs.filter(({ runKey }) => hashOf(runKey).startsWith(digits)).map((run) => foundRun(session, run)),
    )),
  ];
}

async function find(session: Session, name: string): Promise<Found> {
  const store = await session.store();
  const whole = await findWhole(session, store, name);
  const candidates = whole === undefined ? await findShort(session, store, name) : [whole];
  const [found] = candidates;
  if (found !== undefined && candidates.length === 1) return found;
  throw new AppError('NOT_FOUND', {
    message:
      found === undefined
        ? `There is no job and no pipeline run "${name}"; \`millrace status\` lists the latest.`
        : `"${name}" is the beginning of ${candidates.length} names; give more of it.`,
    details: { name, ...(found === undefined ? {} : { known: candidates.map((one) => one.name) }) },
  });
}

/** How it ended; the failure that it ended with is what was asked for, or news. */
async function endOf(found: Found, signal: AbortSignal): Promise<{ readonly state: string; readonly code?: string }> {
  try {
    await found.done(signal);
    return { state: 'committed' };
  } catch (thrown) {
    if (signal.aborted || !(thrown instanceof AppError)) throw thrown;
    const { code } = thrown;
    return code === 'CANCELLED' ? { state: 'cancelled' } : { state: 'failed', code };
  }
}

export function registerCancel({ program, run }: Cli): void {
  program
    .command('cancel <run>')
    .description('end a job or a pipeline run: its run key or id, or its first digits as `status` shows them')
    .option('--wait', 'wait until it has ended')
    .action((name: string, options: { readonly wait?: boolean }, command: Command) =>
      run(command, async (session) => {
        const { output, signal } = session;
        const found = await find(session, name);
        const said = { run: found.name, what: found.what };
        if (found.state !== undefined && found.state !== 'running') {
          const { state } = found;
          output.result({ ...said, asked: false, state }, () => `The ${found.what} has ended already: ${state}.`);
          return;
        }
        await found.cancel();
        if (options.wait !== true) {
          const state = found.state ?? 'waiting';
          output.result({ ...said, asked: true, state }, () => `Asked the ${found.what} ${found.name} to end.`);
          return;
        }
        if (found.what === 'job') await noteMissingWorkers(session, kindOf(session.config.tenant, found.name)!);
        const end = await endOf(found, signal);
        const why = end.code === undefined ? '' : ` (${end.code})`;
        output.result({ ...said, asked: true, ...end }, () => `The ${found.what} has ended: ${end.state}${why}.`);
      }),
    );
}
