/** Owns what processors need to know about items, read from the catalogue and turned into numbers. What the catalogue lacks is unknown. */
import { sharedInt32 } from '../../shared/numerics/sparse.ts';
import { KEY_BYTES } from '../../shared/numerics/types.ts';
import type { StoredItem } from '../../shared/store/ports.ts';
import type { RunContext } from '../runtime/processor.ts';
import type { NumberedItems } from './numbered-items.task.ts';

/** What is known about items; index = number of the item. */
export interface ItemFacts {
  /** -1: unknown. */
  readonly creator: Int32Array;
  /** Topics of item i: topics[topicStart[i] .. topicStart[i + 1]]. */
  readonly topicStart: Int32Array;
  readonly topics: Int32Array;
  /** ms; NaN: unknown. */
  readonly publishedAt: Float64Array;
}

/** Items asked for at once. */
const ITEMS_PER_READ = 5_000;

const TASKS = new URL('./numbered-items.task.ts', import.meta.url).href;

/** Numbers the items that rows name, in a thread. */
export async function numberItems(
  columns: { readonly rows: number; readonly item: Uint8Array },
  { pool, signal }: Pick<RunContext, 'pool' | 'signal'>,
): Promise<NumberedItems> {
  const payload = { columns: { rows: columns.rows, item: columns.item } };
  const [answer] = await pool.runPhase<NumberedItems>([{ module: TASKS, name: 'numberItems', payload }], signal);
  return answer!;
}

/**
 * Facts of the items with these keys, in their order; `asOf`: as they were known then. Names become numbers in order of their first
 * occurrence.
 */
export async function readItemFacts(keys: Uint8Array, context: RunContext, asOf?: number): Promise<ItemFacts> {
  const items = keys.length / KEY_BYTES;
  const creator = sharedInt32(items).fill(-1);
  const publishedAt = new Float64Array(new SharedArrayBuffer(items * 8)).fill(Number.NaN);
  const topicStart = sharedInt32(items + 1);
  const topics: number[] = [];
  const names = { creators: new Map<string, number>(), topics: new Map<string, number>() };
  for (let from = 0; from < items; from += ITEMS_PER_READ) {
    context.signal.throwIfAborted();
    const to = Math.min(items, from + ITEMS_PER_READ);
    const found = await readItems(keys, [from, to], context, asOf);
    for (let n = from; n < to; n++) {
      const item = found[n - from];
      if (item?.creator !== undefined) creator[n] = numberOf(names.creators, item.creator);
      if (item?.publishedAt !== undefined) publishedAt[n] = item.publishedAt;
      for (const topic of new Set(item?.topics)) topics.push(numberOf(names.topics, topic));
      topicStart[n + 1] = topics.length;
    }
  }
  return { creator, publishedAt, topicStart, topics: sharedInt32(topics.length, topics) };
}

async function readItems(
  keys: Uint8Array,
  [from, to]: readonly [from: number, to: number],
  { store, tenant }: RunContext,
  asOf: number | undefined,
): Promise<(StoredItem | undefined)[]> {
  const asked = Array.from({ length: to - from }, (_, n) =>
    Uint8Array.from(keys.subarray((from + n) * KEY_BYTES, (from + n + 1) * KEY_BYTES)),
  );
  const found = await store.items.read(tenant, asked, asOf);
  return asked.map((key) => found.get(Buffer.from(key).toString('hex')));
}

function numberOf(names: Map<string, number>, name: string): number {
  const known = names.get(name);
  if (known !== undefined) return known;
  names.set(name, names.size);
  return names.size - 1;
}
