/**
 * Owns sharded-training: which step of which model is asked for, and the version it becomes. What is learned from is decided once, when it is cut: the consents of
 * that moment, like the load of a training in one process. The embeddings carry that moment's epoch, and are stale when somebody has withdrawn between it
 * and their commit.
 */
import { shardedTraining } from '../../jobs/sharded-training/contract.ts';
import { AppError } from '../../shared/errors.ts';
import type { DatasetVersion } from '../../shared/store/ports.ts';
import { readVersion } from '../reading/dataset.ts';
import { defineProcessor, type RunContext, type Written } from '../runtime/processor.ts';
import { loadIalsCut, loadIalsJoin, loadSolve } from './ials.ts';
import { loadItem2vecCut, loadItem2vecJoin, loadLearn } from './item2vec.ts';
import type { Computed, Cut, CutFacts, Input, Join, Work } from './work.ts';

type Timed = Computed & { readonly seconds: number };

const CUTS: Readonly<Record<Cut['model'], (cut: Cut, context: RunContext) => Promise<Work>>> = {
  ials: loadIalsCut,
  item2vec: loadItem2vecCut,
};

async function load(input: Input, context: RunContext): Promise<Work> {
  if ('cut' in input) return CUTS[input.cut.model](input.cut, context);
  if ('solve' in input) return loadSolve(input.solve, await cutOf(input.solve, 'ials', context), context);
  if ('learn' in input) return loadLearn(input.learn, await cutOf(input.learn, 'item2vec', context), context);
  return loadJoin(input.join, context);
}

async function loadJoin(join: Join, context: RunContext): Promise<Work> {
  if ('strata' in join) return loadItem2vecJoin(join, await cutOf(join, 'item2vec', context), context);
  return loadIalsJoin(join, await cutOf(join, 'ials', context), context);
}

/** @throws AppError INPUT_INVALID when it was cut for another model. */
async function cutOf(
  { cut }: { readonly cut: string },
  model: Cut['model'],
  context: RunContext,
): Promise<DatasetVersion> {
  const of = await readVersion(cut, 'blocks', context);
  const { model: own = 'ials' } = of.meta as unknown as CutFacts;
  if (own === model) return of;
  throw new AppError('INPUT_INVALID', {
    message: `Version ${cut} was cut for ${own}, not for ${model}.`,
    details: { field: 'cut', cut, model: own },
  });
}

async function compute(work: Work, context: RunContext): Promise<Timed> {
  const began = performance.now();
  return { ...(await work(context)), seconds: (performance.now() - began) / 1000 };
}

async function write(computed: Timed, context: RunContext): Promise<Written<typeof shardedTraining>> {
  const { store, tenant, runKey, fence, codeVersion } = context;
  const { arrays, asOf, inputs, kind, meta, output, rows, seconds } = computed;
  const consentEpoch = computed.consentEpoch ?? context.consentEpoch;
  const draft = await store.versions.draft(tenant, runKey, fence, rows, arrays);
  const facts = { tenant, kind, runKey, fence, asOf, consentEpoch, inputs, codeVersion, meta };
  const { version } = await store.versions.write({ ...draft, ...facts });
  // The executor looks at what happened since this step began; what it made learned from people as they were when it was cut.
  const { purposes } = shardedTraining;
  const withdrawn = await store.consents.withdrawnSince(tenant, consentEpoch, purposes, computed.cutAt);
  if (withdrawn.subjects.length > 0) await store.versions.markStale(tenant, version);
  return { output: { version, ...output, seconds }, version, lineage: { inputs, engine: 'wasm-simd' } };
}

export default defineProcessor({ contract: shardedTraining, load, compute, write });
