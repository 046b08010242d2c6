/**
 * Owns who looks at a fit between two epochs: a validation part that tells how good it is so far, and ends it when that has not become better for
 * some epochs; and a fit that is to run a number of epochs that another found. What they know is kept with the state of the fit.
 */
import type { MeasuredLists, MeasureRequest } from '../../shared/numerics/evaluation/measure.task.ts';
import type { TestItems } from '../../shared/numerics/evaluation/ranking-metrics.ts';
import { rankByFactors } from '../../shared/numerics/ranking/rank-factors.ts';
import { sharedFloat32, sharedInt32 } from '../../shared/numerics/sparse.ts';
import type { DenseRows, EpochWatch, Factors, FitState, SparseRows } from '../../shared/numerics/types.ts';
import { KEY_BYTES } from '../../shared/numerics/types.ts';
import type { RunContext } from '../runtime/processor.ts';

export const MEASURE = new URL('../../shared/numerics/evaluation/measure.task.ts', import.meta.url).href;

/** People whose lists are made after each epoch: enough to tell epochs apart, few enough to cost a fraction of one. */
const VALIDATED_MAX = 500;
/** Where the fit is ended by what they say. */
const DECIDING_MAX = 2_000;

/** A watch whose knowledge outlives its process. */
export interface KeptWatch extends EpochWatch {
  keep(): Omit<FitState, 'epoch'>;
  restore(state: FitState): void;
}

/** Ends a fit after so many epochs, whatever its parameters say: its rates fall as they would have. */
export class EpochLimit implements KeptWatch {
  readonly #limit: number;
  #done = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  async ended({ epoch }: { readonly epoch: number }): Promise<Record<string, number>> {
    this.#done = epoch;
    return {};
  }

  isOver(): boolean {
    return this.#done >= this.#limit;
  }

  keep(): Omit<FitState, 'epoch'> {
    return { facts: {}, arrays: {} };
  }

  restore({ epoch }: FitState): void {
    this.#done = epoch;
  }
}

export interface ValidationPart {
  /** What the model learns from; not to be recommended. */
  readonly train: SparseRows;
  readonly test: TestItems;
  readonly userKeys: Uint8Array;
  readonly itemKeys: Uint8Array;
  readonly k: number;
}

export class ValidationWatch implements KeptWatch {
  readonly #part: ValidationPart;
  readonly #patience: number | undefined;
  readonly #context: RunContext;
  #scores: number[] = [];
  #best: { readonly epoch: number; readonly factors: Factors } | undefined;

  /** Without `patience` it only tells. */
  constructor(part: ValidationPart, patience: number | undefined, context: RunContext) {
    this.#part = sampled(part, patience === undefined ? VALIDATED_MAX : DECIDING_MAX);
    this.#patience = patience;
    this.#context = context;
  }

  async ended({ epoch, factors }: Parameters<EpochWatch['ended']>[0]): Promise<Record<string, number>> {
    const made = await factors();
    const { ndcg, recall } = await this.#measure(made);
    this.#scores.push(ndcg);
    if (this.#patience !== undefined && ndcg > (this.#scores[(this.#best?.epoch ?? 0) - 1] ?? -1))
      this.#best = { epoch, factors: made };
    return { validationNdcg: ndcg, validationRecall: recall };
  }

  async #measure({ items, users }: Factors): Promise<{ readonly ndcg: number; readonly recall: number }> {
    const { itemKeys, k, test, train, userKeys } = this.#part;
    const { pool, signal } = this.#context;
    const lists = await rankByFactors(
      { users: rowsOf(users, test.users), items, itemKeys, userKeys },
      { k, exclude: train, signal },
      { pool },
    );
    const own = { ...test, users: Int32Array.from(test.users, (_, n) => n) };
    const payload: MeasureRequest = { parts: [{ lists, test: own }], catalogue: items.rows };
    const [figures] = await pool.runPhase<MeasuredLists>([{ module: MEASURE, name: 'measureLists', payload }], signal);
    return figures!.metrics;
  }

  isOver(): boolean {
    return this.#patience !== undefined && this.#scores.length - (this.#best?.epoch ?? 0) >= this.#patience;
  }

  /** The epoch after which it was best, and its factors; undefined without `patience`. */
  get best(): { readonly epoch: number; readonly factors: Factors } | undefined {
    return this.#best;
  }

  keep(): Omit<FitState, 'epoch'> {
    const best = this.#best;
    if (best === undefined) return { facts: { scores: [...this.#scores] }, arrays: {} };
    const { items, users } = best.factors;
    return {
      facts: { scores: [...this.#scores], best: best.epoch, width: users.width },
      arrays: { bestUsers: users.data, bestItems: items.data },
    };
  }

  restore({ arrays, facts }: FitState): void {
    const { best, scores, width = 1 } = facts as { scores: number[]; best?: number; width?: number };
    this.#scores = [...scores];
    if (best === undefined) return;
    const rows = (data: Float32Array): DenseRows => ({ rows: data.length / width, width, data });
    this.#best = { epoch: best, factors: { users: rows(arrays['bestUsers']!), items: rows(arrays['bestItems']!) } };
  }
}

/** The first people of the part in the order of their keys, which are hashes: as good as drawn. Rows of the answer are theirs. */
function sampled({ test, train, userKeys, ...rest }: ValidationPart, usersMax: number): ValidationPart {
  const users = test.users.slice(0, usersMax);
  const indptr = test.indptr.slice(0, users.length + 1);
  const seen = sharedInt32(users.length + 1);
  for (const [n, user] of users.entries()) seen[n + 1] = seen[n]! + train.indptr[user + 1]! - train.indptr[user]!;
  const indices = sharedInt32(seen[users.length]!);
  const keys = new Uint8Array(new SharedArrayBuffer(users.length * KEY_BYTES));
  for (const [n, user] of users.entries()) {
    indices.set(train.indices.subarray(train.indptr[user], train.indptr[user + 1]), seen[n]);
    keys.set(userKeys.subarray(user * KEY_BYTES, (user + 1) * KEY_BYTES), n * KEY_BYTES);
  }
  const values = sharedFloat32(indices.length).fill(1);
  return {
    ...rest,
    userKeys: keys,
    train: { rows: users.length, columns: train.columns, indptr: seen, indices, values },
    test: { users, indptr, items: test.items.slice(0, indptr.at(-1)) },
  };
}

function rowsOf({ data, width }: DenseRows, users: Int32Array): DenseRows {
  const rows = sharedFloat32(users.length * width);
  for (const [n, user] of users.entries()) rows.set(data.subarray(user * width, (user + 1) * width), n * width);
  return { rows: users.length, width, data: rows };
}
