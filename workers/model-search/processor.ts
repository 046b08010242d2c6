/**
 * Owns model-search: a model with given parameters, fitted without the holdout and without a validation part, and measured on the latter; and the choice among
 * such trials, which trainings read.
 */
import { type modelSearch as Contract, modelSearch, type Trial } from '../../jobs/model-search/contract.ts';
import type { ContractParsed } from '../../shared/contract-kit/define-job.ts';
import { AppError } from '../../shared/errors.ts';
import type { MeasuredLists, MeasureRequest } from '../../shared/numerics/evaluation/measure.task.ts';
import { interactionView } from '../../shared/numerics/interactions/interaction-view.ts';
import { findModel, type Model } from '../../shared/numerics/models/registry.ts';
import { drawParams } from '../../shared/numerics/models/search-space.ts';
import type { Tuning } from '../../shared/store/ports.ts';
import { validationSplit } from '../embedding-training/holdouts.ts';
import { withItemFacts } from '../embedding-training/side-facts.ts';
import { admitFor, type LoadedEvents, loadEvents } from '../reading/dataset.ts';
import { defineProcessor, type RunContext, type Written } from '../runtime/processor.ts';

const MEASURE = new URL('../../shared/numerics/evaluation/measure.task.ts', import.meta.url).href;

type Input = ContractParsed<typeof Contract>;
type Try = Extract<Input, { try: unknown }>['try'];
type Choose = Extract<Input, { choose: unknown }>['choose'];

type Loaded =
  | { readonly asked: Try; readonly model: Model; readonly params: Trial['params']; readonly events: LoadedEvents }
  | { readonly choose: Choose };
type Computed = { readonly trial: Trial; readonly engine: string; readonly asked: Try } | { readonly choose: Choose };

async function load(input: Input, context: RunContext): Promise<Loaded> {
  if ('choose' in input) return input;
  const asked = input.try;
  const model = findModel(asked.model);
  const given = typeof asked.params === 'number' ? drawParams(asked.model, asked.seed, asked.params) : asked.params;
  // Wrong parameters are refused before anything is read.
  const params = await model.parseParams(given);
  return { asked, model, params, events: await loadEvents(asked.dataset, 'recommendation', context) };
}

/** A share of the epochs, at least one. */
function shortened(params: Trial['params'], budget: number): Trial['params'] {
  const { epochs } = params;
  return typeof epochs === 'number' ? { ...params, epochs: Math.max(1, Math.round(epochs * budget)) } : params;
}

async function compute(loaded: Loaded, context: RunContext): Promise<Computed> {
  if ('choose' in loaded) return loaded;
  const { asked, events, model, params } = loaded;
  const { pool, progress, signal, tfjsNative } = context;
  const liked = await interactionView(await admitFor('recommendation', events, context), context);
  const view = await withItemFacts(liked, params, context);
  const { data, known, test } = await validationSplit(view, asked, context);
  if (test.users.length === 0)
    throw new AppError('DATASET_EMPTY', {
      message: 'There is too little data for a holdout and a validation part.',
      details: { dataset: asked.dataset },
    });
  const began = performance.now();
  const fitted = await model.fit(data, shortened(params, asked.budget), {
    pool,
    signal,
    seed: asked.seed,
    onProgress: progress,
    ...(tfjsNative === undefined ? {} : { tensorflow: { nativePath: tfjsNative } }),
  });
  const seconds = (performance.now() - began) / 1000;
  const k = Math.min(asked.k, known.columns);
  const lists = await fitted.rank({ k, exclude: known, signal });
  const parts = [{ lists, test, keys: view.userKeys }];
  const payload: MeasureRequest = { parts, catalogue: known.columns, seed: asked.seed };
  const [figures] = await pool.runPhase<MeasuredLists>([{ module: MEASURE, name: 'measureLists', payload }], signal);
  const { ndcg, recall } = figures!.metrics;
  const [low, high] = figures!.intervals.ndcg;
  const ndcgError = Number.isFinite(high - low) ? (high - low) / 2 : 0;
  return { asked, engine: fitted.engine, trial: { params: { ...params }, ndcg, recall, ndcgError, seconds } };
}

async function write(computed: Computed, { asOf, clock, codeVersion, runKey, tenant }: RunContext) {
  if ('trial' in computed) {
    const { asked, engine, trial } = computed;
    const lineage = { inputs: [asked.dataset], seed: asked.seed, engine };
    return { output: { trial }, lineage } satisfies Written<typeof modelSearch>;
  }
  const { dataset, model, seed, tried, trials } = computed.choose;
  const chosen = trials.toSorted((a, b) => b.ndcg - a.ndcg)[0]!;
  const { ndcg, ndcgError, params, recall } = chosen;
  const of = { tenant, model, dataset, seed, tried, codeVersion, runKey, asOf, chosenAt: clock.now() };
  const plan: Tuning = { ...of, params, ndcg, recall, ndcgError };
  return { output: { chosen }, plan, lineage: { inputs: [dataset], seed } } satisfies Written<typeof modelSearch>;
}

export default defineProcessor({
  contract: modelSearch,
  load,
  compute,
  write,
  async follow({ plan }, { store }) {
    if (plan !== undefined) await store.tunings.keep(plan as Tuning);
    return undefined;
  },
});
