/**
 * Owns simulated time: every call of a port waits at a gate until the scheduler lets it go on, one at a time, so that a call is one moment and anything may
 * come between two of them. Which goes next is drawn from the seed.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { setImmediate as turn } from 'node:timers/promises';
import { AppError } from '../../shared/errors.ts';

/** Something that can die with all its calls. */
export interface Mortal {
  isDead: boolean;
  /** What its clock is ahead of others. */
  readonly skewMs: number;
}

interface Gate {
  readonly caller: Mortal;
  readonly open: () => void;
  readonly refuse: (why: Error) => void;
}

/** Turns of the event loop after which whoever was woken has asked for the next thing. */
const TURNS = 2;

export class Scheduler {
  /** The moment: calls that were let go. */
  step = 0;
  /** Of the clock of whoever is at work. */
  skewMs = 0;
  #gates: Gate[] = [];
  #busy = 0;
  readonly #inside = new AsyncLocalStorage<true>();

  /** Calls that may be let go. */
  get waiting(): number {
    return this.#gates.reduce((sum, { caller }) => sum + Number(!caller.isDead), 0);
  }

  /** Does a piece of work as one moment; what asks for another one within it has two, and whatever comes between. Never resolves while its caller is dead. */
  async moment<T>(caller: Mortal, work: () => Promise<T>): Promise<T> {
    const isWithin = this.#inside.getStore() === true;
    if (isWithin) this.#busy -= 1;
    await new Promise<void>((open, refuse) => this.#gates.push({ caller, open, refuse }));
    this.skewMs = caller.skewMs;
    try {
      return await this.#inside.run(true, work);
    } finally {
      if (!isWithin) {
        this.#busy -= 1;
        this.skewMs = 0;
      }
    }
  }

  /** Work between two calls that takes turns of the event loop. */
  async within<T>(work: () => Promise<T>): Promise<T> {
    this.#busy += 1;
    try {
      return await work();
    } finally {
      this.#busy -= 1;
    }
  }

  /** Lets one of the calls that wait go on, and waits until nothing moves. */
  async letGo(below: (bound: number) => number): Promise<void> {
    const alive = this.#gates.filter(({ caller }) => !caller.isDead);
    const gate = alive[below(alive.length)];
    if (gate !== undefined) {
      this.#gates.splice(this.#gates.indexOf(gate), 1);
      this.step += 1;
      this.#busy += 1;
      gate.open();
    }
    await this.settled();
  }

  async settled(): Promise<void> {
    do for (let turns = 0; turns < TURNS; turns++) await turn();
    while (this.#busy > 0);
  }

  /** Ends every call that still waits: those of the dead. */
  async end(): Promise<void> {
    const gone = new AppError('WORKER_STOPPING');
    while (this.#gates.length > 0) {
      for (const { refuse } of this.#gates.splice(0)) refuse(gone);
      await this.settled();
    }
  }
}
