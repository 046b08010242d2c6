/**
 * Owns the privacy budget in the store: one chain of entries a tenant, numbered without gaps. An entry carries the state after it, and the answer that it
 * was spent on: its insert under the next number takes the cost and records the draw at once, or meets its key because somebody else came first. So
 * before it nothing is spent and nothing can be shown, and after it every retry finds the same answer. Entries are never changed or removed.
 */
import type { Collection, Db } from 'mongodb';
import { AppError } from '../../errors.ts';
import type { BudgetEntry, Budgets, BudgetState, BudgetTerms, NoisyRelease } from '../ports.ts';
import { isDuplicateKey } from './driver-errors.ts';
import { COLLECTIONS, idOf, idsUnder, sequenceText } from './names.ts';

/** Others that may come first, one after the other, before it is given up for now. */
const LOST_MAX = 100;

type Entry = BudgetEntry & Partial<Pick<NoisyRelease, 'query' | 'answer'>>;
type Stored = Entry & { readonly _id: string; readonly tenant: string };

export async function createBudgetIndexes(db: Db): Promise<void> {
  await db.collection(COLLECTIONS.budgets).createIndexes([{ key: { tenant: 1, release: 1 }, name: 'release' }]);
}

/** The state as it has become by `at`: a period that is over gives way to the one that runs, with nothing spent. */
function asOf({ totalPico, periodMs, epsilon, delta, spentPico, periodEndsAt }: BudgetState, at: number): BudgetState {
  const terms = {
    totalPico,
    periodMs,
    ...(epsilon !== undefined && { epsilon }),
    ...(delta !== undefined && { delta }),
  };
  if (at < periodEndsAt) return { ...terms, spentPico, periodEndsAt };
  const periods = Math.floor((at - periodEndsAt) / periodMs) + 1;
  return { ...terms, spentPico: 0, periodEndsAt: periodEndsAt + periods * periodMs };
}

function releaseOf({ release, query, pico, at, answer }: Entry): NoisyRelease {
  return { release: release!, query: query!, pico: pico!, at, answer: answer! };
}

class MongoBudgets implements Budgets {
  readonly #entries: Collection<Stored>;

  constructor(db: Db) {
    this.#entries = db.collection<Stored>(COLLECTIONS.budgets);
  }

  async state(tenant: string, at: number): Promise<BudgetState | undefined> {
    const last = await this.#last(tenant);
    return last === undefined ? undefined : asOf(last, at);
  }

  async setTerms(tenant: string, terms: BudgetTerms, at: number): Promise<BudgetState> {
    return this.#append(tenant, async (last) => {
      const before = last === undefined ? undefined : asOf(last, at);
      const { spentPico = 0, periodEndsAt = at + terms.periodMs } = before ?? {};
      return { ...terms, spentPico, periodEndsAt, at };
    });
  }

  async released(tenant: string, release: string): Promise<NoisyRelease | undefined> {
    const found = await this.#entries.findOne({ tenant, release });
    return found === null ? undefined : releaseOf(found);
  }

  async spend(tenant: string, draw: NoisyRelease): Promise<NoisyRelease> {
    const entry = await this.#append(tenant, async (last) => {
      // Looked for after the last entry was read: whoever recorded it later takes the number that is next, and this insert meets it.
      const before = await this.#entries.findOne({ tenant, release: draw.release });
      if (before !== null) return before;
      if (last === undefined) throw new AppError('BUDGET_NOT_SET', { details: { tenant } });
      const state = asOf(last, draw.at);
      if (state.spentPico + draw.pico > state.totalPico) throw exhausted(state, draw);
      return { ...state, ...draw, spentPico: state.spentPico + draw.pico };
    });
    if (entry.query === draw.query) return releaseOf(entry);
    throw new AppError('STATISTIC_REUSED', { details: { release: draw.release } });
  }

  async history(tenant: string, limit: number): Promise<BudgetEntry[]> {
    const projection = { _id: 0, tenant: 0, answer: 0, query: 0 };
    return this.#entries
      .find({ _id: idsUnder(tenant) }, { projection })
      .sort({ _id: -1 })
      .limit(limit)
      .toArray();
  }

  async #last(tenant: string): Promise<Stored | undefined> {
    const [last] = await this.#entries
      .find({ _id: idsUnder(tenant) })
      .sort({ _id: -1 })
      .limit(1)
      .toArray();
    return last;
  }

  /** Inserts what follows from the last entry under the next number; an entry with a number is there already and is given back. */
  async #append(
    tenant: string,
    following: (last: Stored | undefined) => Promise<Omit<Entry, 'seq'> & { readonly seq?: number }>,
  ): Promise<Entry> {
    for (let lost = 0; lost < LOST_MAX; lost++) {
      const last = await this.#last(tenant);
      const next = await following(last);
      if (next.seq !== undefined) return { ...next, seq: next.seq };
      const seq = (last?.seq ?? 0) + 1;
      try {
        await this.#entries.insertOne({ ...next, _id: idOf(tenant, sequenceText(seq)), tenant, seq });
        return { ...next, seq };
      } catch (thrown) {
        if (!isDuplicateKey(thrown)) throw thrown;
      }
    }
    throw new AppError('POINTER_CONFLICT', { message: 'The privacy budget is asked by too many at once.' });
  }
}

function exhausted({ totalPico, spentPico, periodEndsAt }: BudgetState, { pico }: NoisyRelease): AppError {
  const details = { costPico: pico, leftPico: Math.max(0, totalPico - spentPico), periodEndsAt };
  return new AppError('BUDGET_EXHAUSTED', { details });
}

export function mongoBudgets(db: Db): Budgets {
  return new MongoBudgets(db);
}
