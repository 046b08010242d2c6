/**
 * Owns the course of a training on TensorFlow: epochs; with an internal validation part it stops when that no longer improves, goes back to
 * the best epoch and makes a last pass over all pairs, or begins anew over all pairs for as many epochs, so that no pair is left unlearned.
 * Between epochs it offers its state (parameters, both moments of Adam, the best epoch's of each, steps taken): all that the next epoch needs, since draws are keyed by the epoch's number.
 */
import { sharedFloat32 } from '../../sparse.ts';
import type { FitContext, FitState } from '../../types.ts';
import type { TrainingRecord } from './two-tower.ts';
import { newTable, type Table } from './two-tower-memory.ts';

export type Tables = Readonly<Record<string, Table>>;

/** A fit as its course sees it. */
export interface Trainee {
  readonly tables: Tables;
  readonly epochs: number;
  readonly patience: number;
  /** Whether there is a validation part. */
  readonly isSplit: boolean;
  /** The engine that trains and its version; asked once, before the first epoch, when there is somewhere to keep states. */
  engine(): Promise<string>;
  /** One pass over what is left without the validation part, or over all; returns the mean loss and the steps it took. */
  epoch(pass: Pass): Promise<{ readonly loss: number; readonly steps: number }>;
  /** NDCG@10 on the validation part. */
  validate(): Promise<number>;
  copy(from: Tables, to: Tables): Promise<void>;
  /** Puts the parameters back to where they were before the first epoch. Absent: after the best epoch there is a single pass over all pairs. */
  restart?(): Promise<void>;
}

export interface Pass {
  readonly over: 'train' | 'all';
  readonly epoch: number;
  readonly stepsBefore: number;
  readonly metrics: Readonly<Record<string, number>>;
}

interface Facts {
  readonly losses: readonly number[];
  readonly validation: readonly number[];
  readonly bestEpoch: number;
  readonly bestSteps: number;
  readonly steps: number;
}

const PARTS = ['values', 'first', 'second', 'mean'] as const;

export async function runCourse(
  trainee: Trainee,
  context: Pick<FitContext, 'checkpoints'>,
): Promise<Omit<TrainingRecord, 'version'>> {
  const course = new Course(trainee, context);
  await course.resume();
  return trainee.isSplit ? course.untilBest() : course.throughout();
}

class Course {
  readonly #trainee: Trainee;
  readonly #context: Pick<FitContext, 'checkpoints'>;
  readonly #losses: number[] = [];
  readonly #validation: number[] = [];
  readonly #best: Tables;
  #bestEpoch = 0;
  #bestSteps = 0;
  #steps = 0;
  #engine = '';

  constructor(trainee: Trainee, context: Pick<FitContext, 'checkpoints'>) {
    this.#trainee = trainee;
    this.#context = context;
    this.#best = trainee.isSplit ? emptyTables(trainee.tables) : {};
  }

  async throughout(): Promise<Omit<TrainingRecord, 'version'>> {
    const { epochs } = this.#trainee;
    while (this.#losses.length < epochs) {
      await this.#epoch('all', {});
      await this.#offer(this.#losses.length === epochs);
    }
    return { losses: this.#losses, validation: [], bestEpoch: this.#losses.length };
  }

  async untilBest(): Promise<Omit<TrainingRecord, 'version'>> {
    const { epochs, patience, tables } = this.#trainee;
    const done = { losses: this.#losses, validation: this.#validation };
    // What comes after the best epoch is known has no validation after it.
    if (this.#losses.length > this.#validation.length) {
      await this.#overAll();
      return { ...done, bestEpoch: this.#bestEpoch };
    }
    while (this.#losses.length < epochs && this.#losses.length - this.#bestEpoch < patience) {
      const known = this.#validation.at(-1);
      await this.#epoch('train', known === undefined ? {} : { validationNdcg: known });
      const now = await this.#trainee.validate();
      const isBetter = this.#bestEpoch === 0 || now > this.#validation[this.#bestEpoch - 1]!;
      this.#validation.push(now);
      if (isBetter) {
        await this.#trainee.copy(tables, this.#best);
        this.#bestEpoch = this.#losses.length;
        this.#bestSteps = this.#steps;
      }
      await this.#offer(false);
    }
    if (this.#trainee.restart === undefined) {
      await this.#trainee.copy(this.#best, tables);
      this.#steps = this.#bestSteps;
    } else {
      await this.#trainee.restart();
      this.#steps = 0;
    }
    await this.#overAll();
    return { ...done, bestEpoch: this.#bestEpoch };
  }

  /** The epochs over all pairs that are still to come. */
  async #overAll(): Promise<void> {
    const most = this.#validation.length + (this.#trainee.restart === undefined ? 1 : this.#bestEpoch);
    while (this.#losses.length < most) {
      await this.#epoch('all', { validationNdcg: this.#validation[this.#bestEpoch - 1]! });
      await this.#offer(this.#losses.length === most);
    }
  }

  async #epoch(over: Pass['over'], metrics: Pass['metrics']): Promise<void> {
    const epoch = this.#losses.length;
    const { loss, steps } = await this.#trainee.epoch({ over, epoch, stepsBefore: this.#steps, metrics });
    this.#losses.push(loss);
    this.#steps += steps;
  }

  async #offer(isLast: boolean): Promise<void> {
    await this.#context.checkpoints?.offer({
      engine: this.#engine,
      epoch: this.#losses.length,
      isLast,
      state: () => ({ facts: { ...this.#facts() }, arrays: this.#arrays() }),
    });
  }

  #facts(): Facts {
    return {
      losses: [...this.#losses],
      validation: [...this.#validation],
      bestEpoch: this.#bestEpoch,
      bestSteps: this.#bestSteps,
      steps: this.#steps,
    };
  }

  /** What is the best so far is not kept twice. */
  #arrays(): FitState['arrays'] {
    const isDone = this.#bestEpoch === this.#losses.length || this.#losses.length > this.#validation.length;
    const best = isDone ? {} : this.#best;
    return { ...arraysOf(this.#trainee.tables, ''), ...arraysOf(best, 'best.') };
  }

  async resume(): Promise<void> {
    const { checkpoints } = this.#context;
    if (checkpoints === undefined) return;
    this.#engine = await this.#trainee.engine();
    const state = await checkpoints.last(this.#engine);
    if (state === undefined) return;
    const facts = state.facts as unknown as Facts;
    this.#losses.push(...facts.losses);
    this.#validation.push(...facts.validation);
    this.#bestEpoch = facts.bestEpoch;
    this.#bestSteps = facts.bestSteps;
    this.#steps = facts.steps;
    restore(this.#trainee.tables, state.arrays, '');
    // The best epoch has no say any more once all pairs are learned.
    if (this.#losses.length > this.#validation.length) return;
    restore(this.#best, state.arrays, this.#bestEpoch === state.epoch ? '' : 'best.');
  }
}

function arraysOf(tables: Tables, prefix: string): Record<string, Float32Array> {
  return Object.fromEntries(
    Object.entries(tables).flatMap(([name, table]) =>
      partsOf(table).map((part) => [`${prefix}${name}.${part}`, table[part]!]),
    ),
  );
}

function restore(tables: Tables, arrays: FitState['arrays'], prefix: string): void {
  for (const [name, table] of Object.entries(tables))
    for (const part of partsOf(table)) table[part]!.set(arrays[`${prefix}${name}.${part}`]!);
}

function emptyTables(tables: Tables): Tables {
  return Object.fromEntries(
    Object.entries(tables).map(([name, { mean, values, width }]) => {
      const table = newTable(values.length / width, width);
      return [name, mean === undefined ? table : { ...table, mean: sharedFloat32(values.length) }];
    }),
  );
}

const partsOf = (table: Table) => PARTS.filter((part) => table[part] !== undefined);

/** Copies parameters and moments; runs in a thread. */
export function copyTables({ from, to }: { readonly from: Tables; readonly to: Tables }): void {
  for (const [name, table] of Object.entries(from))
    for (const part of partsOf(table)) to[name]![part]!.set(table[part]!);
}
