/**
 * Owns what a two-tower fit keeps between phases: the parameters and their Adam moments, in shared memory.
 * The arrays are plain; TensorFlow sees only the rows of a batch. So a step costs what it touches, not what
 * the catalogue holds, and any thread can run the next phase.
 */
import { randomStream } from '../../../random.ts';
import { sharedFloat32 } from '../../sparse.ts';
import { KEY_BYTES } from '../../types.ts';
import type { Facts } from './two-tower-facts.ts';

/** A trainable matrix with Adam's two moments, each rows * width, row-major. */
export interface Table {
  readonly width: number;
  readonly values: Float32Array;
  readonly first: Float32Array;
  readonly second: Float32Array;
  /** The mean of the values over the epochs, where one is kept. */
  readonly mean?: Float32Array;
}

export interface TwoTowerMemory {
  readonly users: Table;
  readonly items: Table;
  /** The item tower's MLP: `up` is dimensions x hidden, `bias` 1 x hidden, `down` hidden x dimensions. Absent for a plain tower. */
  readonly hidden?: { readonly up: Table; readonly bias: Table; readonly down: Table };
  /** Side features; absent where there are none. */
  readonly userFacts?: Facts | undefined;
  readonly itemFacts?: Facts | undefined;
}

export interface AdamOptions {
  readonly learningRate: number;
  /** Decoupled (AdamW), applied to touched rows. */
  readonly weightDecay: number;
  /** Steps taken before this one. */
  readonly step: number;
}

const BETA1 = 0.9;
const BETA2 = 0.999;
const EPSILON = 1e-8;

/** All zeros. */
export function newTable(rows: number, width: number): Table {
  const size = rows * width;
  return { width, values: sharedFloat32(size), first: sharedFloat32(size), second: sharedFloat32(size) };
}

/** The words under which an entity draws: its key if it has one (so that draws follow the person, not the row), else its row. */
export function entityWords(keys: Uint8Array | undefined, row: number): number[] {
  if (keys === undefined) return [row];
  const view = new DataView(keys.buffer, keys.byteOffset + row * KEY_BYTES, KEY_BYTES);
  return [view.getUint32(0), view.getUint32(4), view.getUint32(8), view.getUint32(12)];
}

/** Normal draws times `scale`. */
export function fillRow(target: Table, row: number, scale: number, stream: ReturnType<typeof randomStream>): void {
  for (let column = 0; column < target.width; column++) {
    target.values[row * target.width + column] = scale * stream.normal();
  }
}

/** Fresh parameters: rows ~ N(0, 1/dimensions), each keyed by its entity; He-scaled MLP whose output starts at zero. */
export function newMemory(options: {
  readonly users: number;
  readonly items: number;
  readonly dimensions: number;
  readonly itemHidden: number;
  readonly seed: number;
  readonly userKeys?: Uint8Array | undefined;
  readonly itemKeys?: Uint8Array | undefined;
}): TwoTowerMemory {
  const { users, items, dimensions, itemHidden, seed } = options;
  const userTable = newTable(users, dimensions);
  const itemTable = newTable(items, dimensions);
  const scale = 1 / Math.sqrt(dimensions);
  const userStream = randomStream(seed, 'two-tower.init.user');
  const itemStream = randomStream(seed, 'two-tower.init.item');
  for (let u = 0; u < users; u++) {
    fillRow(userTable, u, scale, userStream.derive(...entityWords(options.userKeys, u)));
  }
  for (let i = 0; i < items; i++) {
    fillRow(itemTable, i, scale, itemStream.derive(...entityWords(options.itemKeys, i)));
  }
  if (itemHidden === 0) return { users: userTable, items: itemTable };
  const up = newTable(dimensions, itemHidden);
  const upStream = randomStream(seed, 'two-tower.init.up');
  for (let d = 0; d < dimensions; d++) fillRow(up, d, Math.sqrt(2 / dimensions), upStream.derive(d));
  return {
    users: userTable,
    items: itemTable,
    hidden: { up, bias: newTable(1, itemHidden), down: newTable(itemHidden, dimensions) },
  };
}

/** Copies the rows named by `ids` into an array of their own. */
export function gatherRows(from: Pick<Table, 'width' | 'values'>, ids: Int32Array): Float32Array {
  const { width } = from;
  const rows = new Float32Array(ids.length * width);
  for (let r = 0; r < ids.length; r++) {
    const start = ids[r]! * width;
    rows.set(from.values.subarray(start, start + width), r * width);
  }
  return rows;
}

/**
 * One Adam step (Kingma & Ba 2015, decoupled decay of Loshchilov & Hutter 2019) on the rows named by `ids`,
 * which are distinct; `gradient` holds them in that order. Lazy: moments of rows not named stay as they
 * are, which differs from dense Adam and costs O(ids * width) instead of O(rows * width).
 */
export function adamStep(target: Table, ids: Int32Array, gradient: Float32Array, options: AdamOptions): void {
  const { values, first, second, width } = target;
  const t = options.step + 1;
  const rate = (options.learningRate * Math.sqrt(1 - BETA2 ** t)) / (1 - BETA1 ** t);
  const keep = 1 - options.learningRate * options.weightDecay;
  for (let r = 0; r < ids.length; r++) {
    const start = ids[r]! * width;
    for (let column = 0; column < width; column++) {
      const at = start + column;
      const g = gradient[r * width + column]!;
      const m = BETA1 * first[at]! + (1 - BETA1) * g;
      const v = BETA2 * second[at]! + (1 - BETA2) * g * g;
      first[at] = m;
      second[at] = v;
      values[at] = values[at]! * keep - (rate * m) / (Math.sqrt(v) + EPSILON);
    }
  }
}

/** All rows of a table, for parameters that every step touches. */
export function everyRow(target: Table): Int32Array {
  return Int32Array.from({ length: target.values.length / target.width }, (_, row) => row);
}
