/** Owns `millrace tune`: search a model's parameters on a validation part of what is stored, for the trainings that follow. */
import type { Command } from 'commander';
import { AppError } from '../../../shared/errors.ts';
import { EMBEDDING_MODELS } from '../../../shared/contract-kit/embedding-models.ts';
import { followPipeline } from '../follow-pipeline.ts';
import type { Cli } from '../cli.ts';
import { wholeNumber } from '../numbers.ts';
import { noteMissingWorkers } from '../waiting.ts';

interface Options {
  readonly trials: string;
  readonly rounds: string;
  readonly parallel: string;
  readonly seed: string;
}

export function registerTune({ program, run }: Cli): void {
  program
    .command('tune <model>')
    .description(`search parameters of a model on a validation part: ${EMBEDDING_MODELS.join(', ')}`)
    .option('--trials <n>', 'sets of parameters in the first round', '18')
    .option('--rounds <n>', 'rounds: each keeps the best third and gives it three times the epochs', '3')
    .option('--parallel <n>', 'trials at work at once', '2')
    .option('--seed <n>', 'of the draws and of what is held out: that of the training', '1')
    .action((name: string, options: Options, command: Command) =>
      run(command, async (session) => {
        const { config, output, client, store, signal } = session;
        const model = EMBEDDING_MODELS.find((known) => known === name);
        if (model === undefined)
          throw new AppError('MODEL_UNKNOWN', {
            message: `There is nothing to tune named ${name}; there are ${EMBEDDING_MODELS.join(', ')}.`,
            details: { name, known: EMBEDDING_MODELS },
          });
        const started = await client().pipelines.tune.start({
          model,
          trials: wholeNumber('trials', options.trials, 2, 500),
          rounds: wholeNumber('rounds', options.rounds, 1, 5),
          parallel: wholeNumber('parallel', options.parallel, 1, 64),
          seed: wholeNumber('seed', options.seed, 0, 2 ** 31 - 1),
        });
        await noteMissingWorkers(session, 'pipeline');
        await followPipeline(started, { title: `tune ${model}`, silent: output.json, signal });
        const chosen = await (await store()).tunings.read(config.tenant, model);
        const { id } = await started.run({ signal });
        output.result({ run: id, chosen }, () =>
          chosen === undefined
            ? 'Nothing was chosen.'
            : [
                JSON.stringify(chosen.params),
                `NDCG ${chosen.ndcg.toFixed(4)} +- ${chosen.ndcgError.toFixed(4)} on the validation part, the best of ${chosen.tried} trials.`,
                `The next \`millrace run refresh --params '{"model":"${model}"}'\` takes them.`,
              ].join('\n'),
        );
      }),
    );
}
