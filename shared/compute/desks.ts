/**
 * Owns the desks: where a thread that begins a task says who it is and what it holds, so that whoever watches over the task can ask it. They lie
 * in one piece of shared memory that every thread is born with, and a task is told the number of its desk: to send shared memory along
 * costs more than a small task.
 */

/** Int32 thread id at 0, Float64 bytes held before at 8. */
const DESK_BYTES = 16;
/** Desks of one table: tasks that are handed over at once, waiting ones too. One more gets a desk of its own. */
const DESKS = 1024;

/** As it is sent: a place in the table, or shared memory of its own. */
export type DeskAddress = number | SharedArrayBuffer;

/** A desk as the watcher sees it. */
export class Desk {
  readonly address: DeskAddress;
  readonly #threadId: Int32Array;
  readonly #heldBefore: Float64Array;

  constructor(address: DeskAddress, table: SharedArrayBuffer) {
    this.address = address;
    const [buffer, from] = placeOf(address, table);
    this.#threadId = new Int32Array(buffer, from, 1);
    this.#heldBefore = new Float64Array(buffer, from + 8, 1);
    this.clear();
  }

  /** Thread ids begin at 1: nobody is there yet. */
  clear(): void {
    Atomics.store(this.#threadId, 0, 0);
  }

  get threadId(): number {
    return Atomics.load(this.#threadId, 0);
  }

  /** Bytes that the thread held before the task. */
  get heldBefore(): number {
    return this.#heldBefore[0] ?? 0;
  }
}

/** The desks of the threads that are replaced together. */
export class Desks {
  readonly table = new SharedArrayBuffer(DESKS * DESK_BYTES);
  readonly #free: Desk[] = [];
  #made = 0;

  take(): Desk {
    const free = this.#free.pop();
    if (free !== undefined) {
      free.clear();
      return free;
    }
    const address = this.#made < DESKS ? this.#made++ : new SharedArrayBuffer(DESK_BYTES);
    return new Desk(address, this.table);
  }

  /** For later tasks. Not when a thread may still write there: one that was ended in the middle of its task. */
  giveBack(desk: Desk): void {
    if (this.#free.length < DESKS) this.#free.push(desk);
  }
}

/** The thread sits down. */
export function sitDown(address: DeskAddress, table: SharedArrayBuffer, threadId: number, heldBefore: number): void {
  const [buffer, from] = placeOf(address, table);
  new Float64Array(buffer, from + 8, 1)[0] = heldBefore;
  Atomics.store(new Int32Array(buffer, from, 1), 0, threadId);
}

const placeOf = (address: DeskAddress, table: SharedArrayBuffer): [SharedArrayBuffer, number] =>
  typeof address === 'number' ? [table, address * DESK_BYTES] : [address, 0];
