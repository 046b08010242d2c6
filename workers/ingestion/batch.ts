/** Owns what every batch has: places in the caller's array, and the list of refusals. */
import type { Checked, Rejection } from '../../shared/contract-kit/event.ts';
import { AppError } from '../../shared/errors.ts';
import type { StandingSet } from '../../shared/store/ports.ts';

/** A source as what a run read. */
export const sourceSet = (source: string, rows: number, schema: string | undefined): StandingSet => ({
  name: `source.${source}`,
  rows,
  ...(schema === undefined ? {} : { schema }),
});

export interface Placed<T> {
  /** Place in the caller's array. */
  readonly index: number;
  readonly value: T;
}

/** Checks candidates one by one; the good ones with their places, and why the others were refused. Throws INPUT_INVALID when places and records differ in number. */
export function checkEach<T>(
  candidates: readonly unknown[],
  indices: readonly number[] | undefined,
  check: (candidate: unknown, index: number) => Checked<T>,
): { readonly good: Placed<T>[]; readonly rejected: Rejection[] } {
  if (indices !== undefined && indices.length !== candidates.length)
    throw new AppError('INPUT_INVALID', {
      message: `There are ${indices.length} indices for ${candidates.length} records.`,
      details: { issues: [{ path: 'indices', message: 'must have an entry a record' }] },
    });
  const good: Placed<T>[] = [];
  const rejected: Rejection[] = [];
  for (let n = 0; n < candidates.length; n++) {
    const index = indices?.[n] ?? n;
    const checked = check(candidates[n], index);
    if (checked.ok) good.push({ index, value: checked.value });
    else rejected.push(checked.rejection);
  }
  return { good, rejected };
}

/** In the order of the caller's array. */
export function inOrder(rejected: readonly Rejection[]): Rejection[] {
  return rejected.toSorted((a, b) => a.index - b.index);
}

/** The last record of each id (a later record of a batch replaces an earlier one), and how many were replaced. */
export function lastOfEach<T>(
  records: readonly Placed<T>[],
  idOf: (record: T) => string,
): { readonly kept: T[]; readonly replaced: number } {
  const byId = new Map<string, T>();
  for (const { value } of records) {
    byId.delete(idOf(value));
    byId.set(idOf(value), value);
  }
  return { kept: [...byId.values()], replaced: records.length - byId.size };
}
