/** Owns prompts in the store: one small document a person and version, one that says which version is current, and one mark a person who was asked. */
import type { Collection, Db } from 'mongodb';
import { hexOf } from '../../governance/keys.ts';
import type { CurrentPrompts, Prompt, PromptMarks, Prompts, SubjectKey } from '../ports.ts';
import { isDuplicateKey, refusedAsDuplicates } from './driver-errors.ts';
import { chunksOf, COLLECTIONS, entityId, idOf, idsUnder } from './names.ts';

/** Longest that is looked back is a year, at most 50 times: the contract's own bounds. */
const PROMPTS_REMEMBERED_MAX = 50;

interface PromptDocument extends Omit<Prompt, 'subject' | 'item'> {
  _id: string;
  item: Uint8Array;
}
interface CurrentDocument extends CurrentPrompts {
  _id: string;
  tenant: string;
}
interface MarksDocument {
  _id: string;
  shown?: readonly number[];
  optedOut?: number | null;
}

class MongoPrompts implements Prompts {
  readonly #prompts: Collection<PromptDocument>;
  readonly #current: Collection<CurrentDocument>;
  readonly #marks: Collection<MarksDocument>;

  constructor(db: Db) {
    this.#prompts = db.collection<PromptDocument>(COLLECTIONS.prompts);
    this.#current = db.collection<CurrentDocument>(COLLECTIONS.currentPrompts);
    this.#marks = db.collection<MarksDocument>(COLLECTIONS.promptMarks);
  }

  async write(tenant: string, version: string, prompts: readonly Prompt[]): Promise<void> {
    for (const chunk of chunksOf(prompts)) {
      const documents = chunk.map(({ subject, ...rest }) => ({ _id: idOf(tenant, version, hexOf(subject)), ...rest }));
      await refusedAsDuplicates(this.#prompts, documents);
    }
  }

  async drop(tenant: string, version: string, subjects: readonly SubjectKey[]): Promise<void> {
    for (const chunk of chunksOf(subjects))
      await this.#prompts.deleteMany({ _id: { $in: chunk.map((key) => idOf(tenant, version, hexOf(key))) } });
  }

  async publish(tenant: string, current: CurrentPrompts): Promise<void> {
    const before = await this.current(tenant);
    const isCurrent = await this.#move(tenant, current);
    // What is not served any more: the one before; or this one, where one of a later moment is current.
    const over = isCurrent ? before?.version : current.version;
    if (over !== undefined && (over !== current.version || !isCurrent))
      await this.#prompts.deleteMany({ _id: idsUnder(idOf(tenant, over)) });
  }

  async #move(tenant: string, current: CurrentPrompts): Promise<boolean> {
    try {
      await this.#current.insertOne({ _id: tenant, tenant, ...current });
      return true;
    } catch (thrown) {
      if (!isDuplicateKey(thrown)) throw thrown;
    }
    const { asOf, madeAt, version } = current;
    // One order for all, whoever is told first.
    const before = [
      { asOf: { $lt: asOf } },
      { asOf, madeAt: { $lt: madeAt } },
      { asOf, madeAt, version: { $lte: version } },
    ];
    const notLater = { _id: tenant, $or: before };
    return (await this.#current.updateOne(notLater, { $set: { ...current } })).matchedCount === 1;
  }

  async current(tenant: string): Promise<CurrentPrompts | undefined> {
    const found = await this.#current.findOne({ _id: tenant });
    return found === null
      ? undefined
      : { version: found.version, asOf: found.asOf, madeAt: found.madeAt, limits: found.limits };
  }

  async read(tenant: string, version: string, subject: SubjectKey): Promise<Prompt | undefined> {
    const found = await this.#prompts.findOne({ _id: idOf(tenant, version, hexOf(subject)) });
    if (found === null) return undefined;
    const { _id, item, ...rest } = found;
    return { subject, item: Uint8Array.from(item), ...rest };
  }

  async marks(tenant: string): Promise<ReadonlyMap<string, PromptMarks>> {
    const all = new Map<string, PromptMarks>();
    for await (const found of this.#marks.find({ _id: idsUnder(tenant) }))
      all.set(found._id.slice(tenant.length + 1), marksOf(found));
    return all;
  }

  async marksOf(tenant: string, subject: SubjectKey): Promise<PromptMarks> {
    const found = await this.#marks.findOne({ _id: entityId(tenant, subject) });
    return found === null ? { shown: [] } : marksOf(found);
  }

  async noteShown(tenant: string, subject: SubjectKey, at: number): Promise<void> {
    const _id = entityId(tenant, subject);
    await this.#marks.updateOne({ _id }, { $addToSet: { shown: at } as never }, { upsert: true });
    const { shown = [] } = (await this.#marks.findOne({ _id })) ?? {};
    const old = shown.toSorted((a, b) => a - b).slice(0, -PROMPTS_REMEMBERED_MAX);
    if (old.length > 0) await this.#marks.updateOne({ _id }, { $pull: { shown: { $in: old } } as never });
  }

  async optOut(tenant: string, subject: SubjectKey, at: number | undefined): Promise<void> {
    const change = at === undefined ? { $unset: { optedOut: '' as const } } : { $set: { optedOut: at } };
    await this.#marks.updateOne({ _id: entityId(tenant, subject) }, change, { upsert: true });
  }
}

function marksOf({ shown = [], optedOut }: MarksDocument): PromptMarks {
  const times = shown.toSorted((a, b) => a - b);
  return typeof optedOut === 'number' ? { shown: times, optedOut } : { shown: times };
}

export function mongoPrompts(db: Db): Prompts {
  return new MongoPrompts(db);
}
