/** Owns `millrace run`: start a pipeline, and wait for it. */
import type { Command } from 'commander';
import { PIPELINE_NAMES, type PipelineName, pipelineOf } from '../../pipelines.ts';
import { jsonObject } from '../arguments.ts';
import { followPipeline } from '../follow-pipeline.ts';
import type { Cli } from '../cli.ts';
import { noteMissingWorkers } from '../waiting.ts';

interface Options {
  readonly params: string;
  readonly key?: string;
  readonly wait?: boolean;
}

export function registerRun({ program, run }: Cli): void {
  program
    .command('run <pipeline>')
    .description(`start a pipeline: ${PIPELINE_NAMES.join(', ')}`)
    .option('--params <json>', 'parameters of the pipeline', '{}')
    .option('--key <key>', 'idempotency key: the same key starts one run')
    .option('--wait', 'wait until it has published')
    .action((name: string, options: Options, command: Command) =>
      run(command, async (session) => {
        const { config, output, client, store, signal } = session;
        pipelineOf(name);
        const pipelines = client().pipelines;
        const started = await pipelines[name as PipelineName].start(
          jsonObject(options.params, '--params'),
          options.key === undefined ? {} : { key: options.key },
        );
        if (options.wait !== true) {
          // The run gets its id once a worker takes the job that starts it.
          output.result({ start: started.id }, () => `Started ${name}. See \`millrace status\`.`);
          return;
        }
        await noteMissingWorkers(session, 'pipeline');
        const times = await followPipeline(started, { title: name, silent: output.json, signal });
        const live = await (await store()).releases.live(config.tenant);
        const { id } = await started.run({ signal });
        output.result({ run: id, steps: times, live }, () => `Published ${live?.version ?? 'nothing'}.`);
      }),
    );
}
