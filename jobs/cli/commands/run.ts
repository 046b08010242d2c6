/** Owns `millrace run` and `millrace backfill`: start a pipeline, or one run for each moment of a span, and wait for it. */
import { type Command, Option } from 'commander';
import { AppError } from '../../../shared/errors.ts';
import {
  BACKFILL_EVERY,
  BACKFILL_PARALLEL_DEFAULT,
  BACKFILL_PARALLEL_MAX,
  type BackfillEvery,
} from '../../backfill.ts';
import type { StartedPipeline } from '../../client/index.ts';
import { PIPELINE_NAMES, type PipelineName, pipelineOf } from '../../pipelines.ts';
import { jsonObject, wholeNumber } from '../arguments.ts';
import { followPipeline } from '../follow-pipeline.ts';
import type { Cli } from '../cli.ts';
import type { Session } from '../session.ts';
import { noteMissingWorkers } from '../waiting.ts';

interface Waiting {
  readonly wait?: boolean;
}

interface RunOptions extends Waiting {
  readonly params: string;
  readonly key?: string;
  readonly rerun?: string;
  readonly from?: string;
}

interface BackfillOptions extends Waiting {
  readonly from: string;
  readonly to: string;
  readonly every: BackfillEvery;
  readonly parallel: number;
  readonly params: string;
  readonly key?: string;
}

function pipelineNamed({ client }: Session, name: string) {
  pipelineOf(name);
  if (!(PIPELINE_NAMES as readonly string[]).includes(name))
    throw new AppError('USAGE', { message: `"${name}" is not started by its name: see \`millrace backfill\`.` });
  return client().pipelines[name as PipelineName];
}

/** A run that is to be run again. Throws NOT_FOUND and PIPELINE_RUNNING here already: the job that starts it would say so to nobody. */
async function endedRun({ client, config, store }: Session, id: string) {
  const run = await (await store()).pipelineRuns.read(id);
  if (run === undefined || run.tenant !== config.tenant)
    throw new AppError('NOT_FOUND', {
      message: `There is no pipeline run "${id}"; \`millrace status\` lists the latest.`,
      details: { run: id },
    });
  if (run.state === 'running')
    throw new AppError('PIPELINE_RUNNING', { message: `The pipeline run ${id} has not ended yet.`, details: { id } });
  return client().pipelines.refresh.run(id);
}

/** Says what was started, or waits for it with progress. */
async function told(session: Session, started: StartedPipeline, wait: boolean | undefined): Promise<void> {
  const { config, output, store, signal } = session;
  const title = started.pipeline;
  if (wait !== true) {
    // The run gets its id once a worker takes the job that starts it.
    output.result({ start: started.id }, () => `Started ${title}. See \`millrace status\`.`);
    return;
  }
  await noteMissingWorkers(session, 'pipeline');
  const times = await followPipeline(started, { title, silent: output.json, signal });
  const live = await (await store()).releases.live(config.tenant);
  const { id } = await started.run({ signal });
  output.result({ run: id, steps: times, live }, () => `Published ${live?.version ?? 'nothing'}.`);
}

const keyed = ({ key }: { readonly key?: string }) => (key === undefined ? {} : { key });

function moment(text: string, name: string): number {
  const at = Date.parse(text);
  if (!Number.isNaN(at)) return at;
  throw new AppError('USAGE', {
    message: `${name} "${text}" is no day or moment, such as 2026-11-01 or 2026-11-01T06:00Z.`,
  });
}

export function registerRun({ program, run }: Cli): void {
  program
    .command('run [pipeline]')
    .description(`start a pipeline: ${PIPELINE_NAMES.join(', ')}; or run an ended run again`)
    .option('--params <json>', 'parameters of the pipeline', '{}')
    .option('--key <key>', 'idempotency key: the same key starts one run')
    .option('--rerun <run>', 'instead: run this ended run again; what has finished is kept')
    .option('--from <step>', 'with --rerun: this step and what comes after it too, although it has finished')
    .option('--wait', 'wait until it has published')
    .action((name: string | undefined, options: RunOptions, command: Command) =>
      run(command, async (session) => {
        const { rerun, from, params, wait } = options;
        if ((name === undefined) === (rerun === undefined))
          throw new AppError('USAGE', { message: 'Name a pipeline, or a run with --rerun.' });
        if (name !== undefined) {
          if (from !== undefined) throw new AppError('USAGE', { message: '--from goes with --rerun.' });
          const started = await pipelineNamed(session, name).start(jsonObject(params, '--params'), keyed(options));
          return told(session, started, wait);
        }
        const ended = await endedRun(session, rerun ?? '');
        return told(session, await ended.rerun(from === undefined ? {} : { from }), wait);
      }),
    );
  program
    .command('backfill <pipeline>')
    .description('a run of a pipeline for each moment of a span; the same as any run: status, --rerun')
    .requiredOption('--from <moment>', 'the first: a day, or a moment in ISO 8601')
    .requiredOption('--to <moment>', 'the last')
    .addOption(new Option('--every <step>', 'what lies between two').choices(BACKFILL_EVERY).default('day'))
    .option('--parallel <n>', 'runs at work at once', wholeNumber(1, BACKFILL_PARALLEL_MAX), BACKFILL_PARALLEL_DEFAULT)
    .option('--params <json>', 'parameters of the pipeline', '{}')
    .option('--key <key>', 'idempotency key: the same key starts one backfill')
    .option('--wait', 'wait until all runs have ended')
    .action((name: string, options: BackfillOptions, command: Command) =>
      run(command, async (session) => {
        const { from, to, every, parallel, wait } = options;
        const params = jsonObject(options.params, '--params');
        const span = { from: moment(from, '--from'), to: moment(to, '--to'), every, parallel, params };
        return told(session, await pipelineNamed(session, name).backfill(span, keyed(options)), wait);
      }),
    );
}
