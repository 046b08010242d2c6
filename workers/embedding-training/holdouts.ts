/**
 * Owns who holds what out of a view: the holdout, by which metrics are measured and nothing is decided, and a validation part of the rest, by which training
 * stops and searches choose. A search and a training of one seed hold the same pairs out.
 */
import { holdOut, type InteractionView } from '../../shared/numerics/interactions/interaction-view.ts';
import type { TestItems } from '../../shared/numerics/evaluation/ranking-metrics.ts';
import type { SparseRows } from '../../shared/numerics/types.ts';
import type { RunContext } from '../runtime/processor.ts';

export type Learned = InteractionView;

/** Draws of the validation part differ from those of the holdout. */
const VALIDATION_SEED = 0x5ee_d0ff;

interface Asked {
  readonly holdout: number;
  readonly seed: number;
}
type Context = Pick<RunContext, 'pool' | 'signal'>;

export async function holdoutSplit(
  view: InteractionView,
  { holdout, seed }: Asked,
  { pool, signal }: Context,
): Promise<{ readonly learned: Learned; readonly test: TestItems }> {
  const { learned, test } = await holdOut({ view, holdout, seed }, { pool, signal });
  return { learned, test };
}

/** A validation part of what is left without the holdout. */
export async function validationOf(
  learned: Learned,
  { holdout, seed }: Asked,
  { pool, signal }: Context,
): Promise<{ readonly data: Learned; readonly test: TestItems }> {
  const request = { view: learned, holdout, seed: (seed ^ VALIDATION_SEED) | 0 };
  const { learned: data, test } = await holdOut(request, { pool, signal });
  return { data, test };
}

/** Both at once. `known` is what a person is known to like: what is learned from, and nothing of the holdout. */
export async function validationSplit(
  view: InteractionView,
  asked: Asked,
  context: Context,
): Promise<{ readonly data: Learned; readonly test: TestItems; readonly known: SparseRows }> {
  const { learned } = await holdoutSplit(view, asked, context);
  const { data, test } = await validationOf(learned, asked, context);
  return { data, test, known: data.interactions };
}
