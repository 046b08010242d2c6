/** Owns the processor that BullMQ's own threads run, with so much to compute. */
import { best, queryOf } from './kernel.task.ts';

/** About two milliseconds of one core. */
export const KERNEL_ITEMS = 25_000;

export const sandboxed =
  (items: number) =>
  async ({ data }: { readonly data: { readonly text: string } }): Promise<{ ok: boolean }> => ({
    ok: best({ items, query: queryOf(data.text.length) }) >= 0,
  });
