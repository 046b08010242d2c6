/** Owns the digest of what a model learns from: two views of one digest give the same model. */
import { createHash } from 'node:crypto';
import type { TrainInput } from '../types.ts';

/** First and last of some moments; NaN of none. */
export function spanOf({ times }: { readonly times: Float64Array }): readonly [from: number, to: number] {
  let [from, to] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const time of times) [from, to] = [Math.min(from, time), Math.max(to, time)];
  return [from, to];
}

/** SHA-256, hex. Linear in the data: some 400 MB a second. */
export function digestInput({ input }: { readonly input: TrainInput }): string {
  const { facts, influence, interactions, itemKeys, origins, times, userKeys } = input;
  const known = [facts?.users, facts?.items].flatMap((rows) => (rows ? [rows.indptr, rows.indices, rows.values] : []));
  const { columns, indices, indptr, rows, values } = interactions;
  const hash = createHash('sha256').update(JSON.stringify({ rows, columns, sources: origins?.names }));
  for (const array of [indptr, indices, values, userKeys, itemKeys, times, origins?.of, influence, ...known]) {
    hash.update(`\0${array?.byteLength ?? -1}\0`);
    if (array !== undefined) hash.update(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
  }
  return hash.digest('hex');
}
