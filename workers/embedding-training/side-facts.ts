/** Owns what is known of the items that a model learns about, for models with side features: creator and topics, from the catalogue. */
import type { InteractionView } from '../../shared/numerics/interactions/interaction-view.ts';
import { fromTriples } from '../../shared/numerics/sparse.ts';
import type { SparseRows, TrainInput } from '../../shared/numerics/types.ts';
import { type ItemFacts, readItemFacts } from '../reading/item-facts.ts';
import type { RunContext } from '../runtime/processor.ts';

/** What fewer items share says nothing of any other. */
const SHARED_MIN = 2;

/** The view with facts of its items, where its model reads any. */
export async function withItemFacts(
  view: InteractionView,
  params: Readonly<Record<string, unknown>>,
  context: RunContext,
): Promise<InteractionView & Pick<TrainInput, 'facts'>> {
  if (params['sideFeatures'] !== true) return view;
  const items = factRows(await readItemFacts(view.itemKeys, context));
  return items.indices.length === 0 ? view : { ...view, facts: { items } };
}

/** A column for each creator and topic that several items share. Nothing is known of an item without them: its row is empty. */
export function factRows({ creator, topicStart, topics }: ItemFacts): SparseRows {
  const items = creator.length;
  const creators = creator.reduce((most, one) => Math.max(most, one + 1), 0);
  const all: [item: number, fact: number][] = [];
  for (let item = 0; item < items; item++) {
    if (creator[item]! >= 0) all.push([item, creator[item]!]);
    for (let at = topicStart[item]!; at < topicStart[item + 1]!; at++) all.push([item, creators + topics[at]!]);
  }
  const counts = new Map<number, number>();
  for (const [, fact] of all) counts.set(fact, (counts.get(fact) ?? 0) + 1);
  const shared = [...counts.keys()].filter((fact) => counts.get(fact)! >= SHARED_MIN);
  const columns = new Map(shared.map((fact, column) => [fact, column]));
  const kept = all.filter(([, fact]) => columns.has(fact));
  return fromTriples(
    items,
    columns.size,
    kept.map(([item]) => item),
    kept.map(([, fact]) => columns.get(fact)!),
    kept.map(() => 1),
  );
}
