/** Owns verdicts in the store: one document an account, under its pseudonym. */
import type { Collection, Db } from 'mongodb';
import type { HeldAccount, SubjectKey, Verdicts } from '../ports.ts';
import { chunksOf, COLLECTIONS, entityId } from './names.ts';

interface VerdictDocument extends Omit<HeldAccount, 'subject'> {
  _id: string;
  tenant: string;
  state: 'held' | 'released';
}

export function createVerdictIndexes(db: Db): Promise<unknown> {
  return db
    .collection(COLLECTIONS.verdicts)
    .createIndexes([{ key: { tenant: 1, state: 1, judgedAt: -1 }, name: 'by-state' }]);
}

class MongoVerdicts implements Verdicts {
  readonly #verdicts: Collection<VerdictDocument>;
  readonly #clock: () => number;

  constructor(db: Db, clock: () => number) {
    this.#verdicts = db.collection<VerdictDocument>(COLLECTIONS.verdicts);
    this.#clock = clock;
  }

  async hold(...[tenant, { asOf, rules, accounts }]: Parameters<Verdicts['hold']>): Promise<void> {
    for (const chunk of chunksOf(accounts))
      await this.#verdicts.bulkWrite(
        chunk.map(({ subject, reasons }) => ({
          updateOne: {
            filter: { _id: entityId(tenant, subject) },
            update: {
              $set: { reasons, rules, judgedAt: this.#clock() },
              $min: { since: asOf },
              $setOnInsert: { tenant, state: 'held' as const },
            },
            upsert: true,
          },
        })),
        { ordered: false },
      );
  }

  async heldAt(tenant: string, asOf: number): Promise<ReadonlySet<string>> {
    const held = new Set<string>();
    const found = this.#verdicts.find({ tenant, state: 'held', since: { $lte: asOf } }, { projection: { _id: 1 } });
    for await (const { _id } of found) held.add(_id.slice(tenant.length + 1));
    return held;
  }

  async list(...[tenant, { released, limit }]: Parameters<Verdicts['list']>): Promise<HeldAccount[]> {
    const found = await this.#verdicts
      .find({ tenant, state: released ? 'released' : 'held' }, { sort: { judgedAt: -1, _id: 1 }, limit })
      .toArray();
    return found.map(toHeld);
  }

  async of(tenant: string, subject: SubjectKey): Promise<HeldAccount | undefined> {
    const found = await this.#verdicts.findOne({ _id: entityId(tenant, subject), state: 'held' });
    return found === null ? undefined : toHeld(found);
  }

  count(tenant: string): Promise<number> {
    return this.#verdicts.countDocuments({ tenant, state: 'held' });
  }

  async release(tenant: string, subject: SubjectKey): Promise<boolean> {
    const { modifiedCount } = await this.#verdicts.updateOne(
      { _id: entityId(tenant, subject), state: 'held' },
      { $set: { state: 'released', releasedAt: this.#clock() } },
    );
    return modifiedCount === 1;
  }
}

function toHeld({ _id, tenant, state: _state, ...rest }: VerdictDocument): HeldAccount {
  return { subject: _id.slice(tenant.length + 1), ...rest };
}

export function mongoVerdicts(db: Db, clock: () => number): Verdicts {
  return new MongoVerdicts(db, clock);
}
