/**
 * Owns how writes of runs travel: those of one process go in groups, an insert of many documents or an update of many, and each gets the answer
 * that it would have got alone. Portable commands only (facts of the store in docs/decisions/0013-grouped-ledger-writes.md).
 *
 * Invariants
 * 1. A group holds one write of a run at most, in the order of the runs' keys: groups of two processes cannot block each other for ever.
 * 2. A write that fails, fails alone: what a group cannot answer for is sent again by itself. So each write must bear being sent twice.
 * 3. When the store's answer is lost, all of the group have failed, whether or not they were done.
 */
import { BSON, type Collection, type Filter, MongoBulkWriteError, type UpdateFilter } from 'mongodb';
import { answered, Gather } from '../../gather.ts';
import type { RunDocument } from '../ports.ts';
import { DUPLICATE_KEY, isDuplicateKey, neverAnswered } from './driver-errors.ts';

export type StoredRun = Omit<RunDocument, 'runKey'> & {
  readonly _id: string;
  /** Which call ended it; only of runs that ended without an effect. */
  readonly endedBy?: string;
};

export interface RunUpdate {
  readonly filter: Filter<StoredRun> & { readonly _id: string };
  readonly update: UpdateFilter<StoredRun>;
  /** Whether the update took effect, from how the run is afterwards; absent: nobody asks. */
  readonly tookEffect?: (run: StoredRun) => boolean;
}

/** Runs of a group. */
const GROUP_RUNS_MAX = 128;
/** Bytes of a group's documents; the store takes 48 MB. */
const GROUP_BYTES_MAX = 4 * 2 ** 20;
/** Groups of a sort under way at once: one that is answered leaves none waiting for the next to be put together. */
const GROUPS_MAX = 2;

type Settled<T> = PromiseSettledResult<T>;

export class RunWrites {
  readonly #runs: Collection<StoredRun>;
  readonly #inserts: Gather<StoredRun, boolean>;
  readonly #updates: Gather<RunUpdate, boolean>;
  readonly #reads: Gather<string, StoredRun | undefined>;

  constructor(runs: Collection<StoredRun>) {
    this.#runs = runs;
    const bounds = {
      itemsMax: GROUP_RUNS_MAX,
      flightsMax: GROUPS_MAX,
      weightMax: GROUP_BYTES_MAX,
    };
    this.#inserts = new Gather({
      ...bounds,
      weightOf: (run) => BSON.calculateObjectSize(run),
      keyOf: ({ _id }) => _id,
      send: (group) => this.#insertAll(group),
    });
    this.#updates = new Gather({
      ...bounds,
      weightOf: ({ update }) => BSON.calculateObjectSize(update),
      keyOf: ({ filter }) => filter._id,
      send: (group) => this.#updateAll(group),
    });
    this.#reads = new Gather({
      itemsMax: GROUP_RUNS_MAX,
      flightsMax: GROUPS_MAX,
      send: async (ids) => {
        const found = await this.#find(ids);
        return ids.map((id) => answered(found.get(id)));
      },
    });
  }

  /** False: a run of that key is there already. */
  insert(run: StoredRun): Promise<boolean> {
    return this.#inserts.add(run);
  }

  /** Whether the update took effect; true where nobody asks. */
  update(update: RunUpdate): Promise<boolean> {
    return this.#updates.add(update);
  }

  read(id: string): Promise<StoredRun | undefined> {
    return this.#reads.add(id);
  }

  async #insertAll(group: readonly StoredRun[]): Promise<Settled<boolean>[]> {
    const [first] = group;
    if (first !== undefined && group.length === 1) return settled([first], (run) => this.#insertOne(run));
    let failed = new Map<number, boolean>();
    try {
      await this.#runs.insertMany([...group], { ordered: false });
    } catch (thrown) {
      failed = failuresOf(thrown, group.length);
    }
    // A refused duplicate is an answer; whatever else failed says for itself why.
    const again = group.filter((_run, at) => failed.get(at) === false);
    const alone = await settled(again, (run) => this.#insertOne(run));
    return group.map((_run, at) => {
      const isDuplicate = failed.get(at);
      return isDuplicate === false ? (alone.shift() as Settled<boolean>) : answered(isDuplicate === undefined);
    });
  }

  async #insertOne(run: StoredRun): Promise<boolean> {
    try {
      await this.#runs.insertOne(run);
      return true;
    } catch (thrown) {
      if (isDuplicateKey(thrown)) return false;
      throw thrown;
    }
  }

  async #updateAll(group: readonly RunUpdate[]): Promise<Settled<boolean>[]> {
    if (group.length === 1) return settled(group, (one) => this.#updateOne(one));
    try {
      const operations = group.map(({ filter, update }) => ({ updateOne: { filter, update } }));
      const { matchedCount } = await this.#runs.bulkWrite(operations, { ordered: false });
      if (matchedCount === group.length) return group.map(() => answered(true));
    } catch (thrown) {
      const failed = failuresOf(thrown, group.length);
      const alone = await settled(
        [...failed.keys()].map((at) => group[at] as RunUpdate),
        (one) => this.#updateOne(one),
      );
      const verdicts = await this.#verdicts(group);
      for (const [nth, at] of [...failed.keys()].entries()) verdicts[at] = alone[nth] as Settled<boolean>;
      return verdicts;
    }
    return this.#verdicts(group);
  }

  async #updateOne(one: RunUpdate): Promise<boolean> {
    const { matchedCount } = await this.#runs.updateOne(one.filter, one.update);
    if (matchedCount === 1) return true;
    const [verdict] = await this.#verdicts([one]);
    return verdict?.status === 'fulfilled' && verdict.value;
  }

  /** The store only counts what a group changed: what became of each is read. */
  async #verdicts(group: readonly RunUpdate[]): Promise<Settled<boolean>[]> {
    const asked = group.filter(({ tookEffect }) => tookEffect !== undefined).map(({ filter }) => filter._id);
    const found = asked.length === 0 ? new Map<string, StoredRun>() : await this.#find(asked, VERDICT_FIELDS);
    return group.map(({ filter, tookEffect }) => {
      const run = found.get(filter._id);
      return answered(tookEffect === undefined || (run !== undefined && tookEffect(run)));
    });
  }

  async #find(ids: readonly string[], projection?: Record<string, 1>): Promise<Map<string, StoredRun>> {
    const options = projection === undefined ? {} : { projection };
    const [id] = ids;
    if (id !== undefined && ids.length === 1) {
      const run = await this.#runs.findOne({ _id: id }, options);
      return new Map(run === null ? [] : [[id, run]]);
    }
    const runs = await this.#runs.find({ _id: { $in: [...new Set(ids)] } }, options).toArray();
    return new Map(runs.map((run) => [run._id, run as StoredRun]));
  }
}

const VERDICT_FIELDS = { state: 1, fence: 1, endedBy: 1 } as const;

/**
 * The places of a group that were not done, and whether only because the run was there already. Without an answer that tells them apart it is
 * all of them; when the answer is lost, that is thrown.
 */
function failuresOf(thrown: unknown, count: number): Map<number, boolean> {
  const isBulk = thrown instanceof MongoBulkWriteError;
  if (isBulk && (neverAnswered(thrown) || thrown.result.getWriteConcernError() !== undefined)) throw thrown;
  const errors = isBulk ? [thrown.writeErrors].flat() : [];
  if (errors.length === 0) return new Map(Array.from({ length: count }, (_, at) => [at, false]));
  return new Map(errors.map(({ index, code }) => [index, code === DUPLICATE_KEY]));
}

function settled<Item, Answer>(
  items: readonly Item[],
  work: (item: Item) => Promise<Answer>,
): Promise<Settled<Answer>[]> {
  return Promise.allSettled(items.map(work));
}
