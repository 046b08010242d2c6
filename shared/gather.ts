/**
 * Owns gathering: what callers ask at the same moment, or while a group is under way, travels as one group, so that a round trip is paid once
 * for many. A caller alone waits for nothing but the turn of the event loop.
 */

export interface GatherOptions<Item, Answer> {
  /** Answers in the order of the items. Rejects where there is no telling them apart: then every item of the group has failed. */
  readonly send: (items: readonly Item[]) => Promise<readonly PromiseSettledResult<Answer>[]>;
  /** Most items of a group. */
  readonly itemsMax: number;
  /** Groups under way at once. Default 1. */
  readonly flightsMax?: number;
  /** Most weight of a group, in the unit of `weightOf`; an item that is heavier travels alone. */
  readonly weightMax?: number;
  readonly weightOf?: (item: Item) => number;
  /**
   * Of items of one key at most one is in a group, and a group is in the order of its keys: two that lock what they name, whoever sends
   * them, never wait for each other crosswise.
   */
  readonly keyOf?: (item: Item) => string;
}

interface Waiting<Item, Answer> {
  readonly item: Item;
  readonly key: string;
  readonly weight: number;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (reason: unknown) => void;
}

export class Gather<Item, Answer> {
  readonly #options: GatherOptions<Item, Answer>;
  readonly #flightsMax: number;
  /** Bounded by the callers: each waits for its answer. */
  #waiting: Waiting<Item, Answer>[] = [];
  #flights = 0;
  #isArranged = false;

  constructor(options: GatherOptions<Item, Answer>) {
    this.#options = options;
    this.#flightsMax = options.flightsMax ?? 1;
  }

  add(item: Item): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const key = this.#options.keyOf?.(item) ?? '';
      const weight = this.#options.weightOf?.(item) ?? 0;
      this.#waiting.push({ item, key, weight, resolve, reject });
      this.#arrange();
    });
  }

  /** After everything that callers who were woken together do at once. */
  #arrange(): void {
    if (this.#isArranged || this.#flights >= this.#flightsMax || this.#waiting.length === 0) return;
    this.#isArranged = true;
    setImmediate(() => {
      this.#isArranged = false;
      while (this.#flights < this.#flightsMax && this.#waiting.length > 0) void this.#fly(this.#take());
    });
  }

  #take(): readonly Waiting<Item, Answer>[] {
    const { itemsMax, weightMax = Number.POSITIVE_INFINITY, keyOf } = this.#options;
    if (this.#waiting.length === 1) return this.#waiting.splice(0);
    const group = new Map<string | number, Waiting<Item, Answer>>();
    const left: Waiting<Item, Answer>[] = [];
    let weight = 0;
    for (const one of this.#waiting) {
      const key = keyOf === undefined ? group.size : one.key;
      const isFull = group.size >= itemsMax || (group.size > 0 && weight + one.weight > weightMax);
      if (isFull || group.has(key)) {
        left.push(one);
        continue;
      }
      group.set(key, one);
      weight += one.weight;
    }
    this.#waiting = left;
    const taken = [...group.values()];
    return keyOf === undefined ? taken : taken.sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  /** Never rejects: whatever goes wrong is the answer of each item. */
  async #fly(group: readonly Waiting<Item, Answer>[]): Promise<void> {
    this.#flights += 1;
    try {
      const answers = await this.#options.send(group.map(({ item }) => item));
      for (const [at, { resolve, reject }] of group.entries()) {
        const answer = answers[at];
        if (answer?.status === 'fulfilled') resolve(answer.value);
        else reject(answer?.reason ?? new Error('a gathered item was not answered'));
      }
    } catch (thrown) {
      for (const { reject } of group) reject(thrown);
    } finally {
      this.#flights -= 1;
      this.#arrange();
    }
  }
}

/** An answer of a group, for `send`. */
export const answered = <Answer>(value: Answer): PromiseFulfilledResult<Answer> => ({ status: 'fulfilled', value });
