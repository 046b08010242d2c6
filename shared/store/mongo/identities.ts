/** Owns identity links in the store: one small document a linked name, under its pseudonym; the receipt lies in its envelope. */
import type { Collection, Db } from 'mongodb';
import { AppError } from '../../errors.ts';
import { hexOf, receiptKeyOf } from '../../governance/keys.ts';
import type { Identities, IdentityWord, People, SubjectKey } from '../ports.ts';
import { isDuplicateKey } from './driver-errors.ts';
import { chunksOf, COLLECTIONS, entityId } from './names.ts';

interface IdentityDocument extends Omit<IdentityWord, 'alias' | 'main' | 'receipt'> {
  _id: string;
  tenant: string;
  main: string;
  /** Hex of what names the receipt in the envelope. */
  receipt?: string | null;
}

export function createIdentityIndexes(db: Db): Promise<unknown> {
  return db.collection(COLLECTIONS.identities).createIndexes([{ key: { tenant: 1, main: 1 }, name: 'main' }]);
}

const refused = (message: string): AppError =>
  new AppError('INPUT_INVALID', { message, details: { issues: [{ path: ['alias'], message }] } });

class MongoIdentities implements Identities {
  readonly #links: Collection<IdentityDocument>;
  readonly #people: People;

  constructor(db: Db, people: People) {
    this.#links = db.collection<IdentityDocument>(COLLECTIONS.identities);
    this.#people = people;
  }

  async say(tenant: string, word: IdentityWord): Promise<boolean> {
    const { alias, main, receipt, ...rest } = word;
    if (hexOf(alias) === hexOf(main)) throw refused('A name is not linked to itself.');
    if (word.state === 'given') await this.#refuseChain(tenant, alias, main);
    const key = receipt === undefined ? undefined : receiptKeyOf(tenant, receipt);
    if (key !== undefined) await this.#people.keepTexts(tenant, [{ subject: alias, eventId: key, text: receipt! }]);
    const _id = entityId(tenant, alias);
    const said = { ...rest, tenant, main: hexOf(main), receipt: key === undefined ? null : hexOf(key) };
    try {
      await this.#links.insertOne({ _id, ...said });
      return true;
    } catch (thrown) {
      if (!isDuplicateKey(thrown)) throw thrown;
    }
    const gives = word.state === 'given';
    const earlier = gives ? { $lt: word.at } : { $lte: word.at };
    const { matchedCount } = await this.#links.updateOne({ _id, at: earlier }, { $set: said });
    return matchedCount === 1;
  }

  async #refuseChain(tenant: string, alias: SubjectKey, main: SubjectKey): Promise<void> {
    const given = { tenant, state: 'given' as const };
    if ((await this.#links.findOne({ ...given, _id: entityId(tenant, main) })) !== null)
      throw refused('The person it is linked to is linked to somebody else: link both to that one.');
    if ((await this.#links.findOne({ ...given, main: hexOf(alias) })) !== null)
      throw refused('Others are linked to this name: link them to the person first.');
  }

  async of(tenant: string, alias: SubjectKey): Promise<IdentityWord | undefined> {
    const found = await this.#links.findOne({ _id: entityId(tenant, alias) });
    if (found === null) return undefined;
    const word = wordOf(found);
    if (typeof found.receipt !== 'string') return word;
    const texts = await this.#people.texts(tenant, alias);
    const receipt = texts.find(({ eventId }) => hexOf(eventId) === found.receipt)?.text;
    return receipt === undefined ? word : { ...word, receipt };
  }

  async inForce(tenant: string): Promise<readonly IdentityWord[]> {
    const found = await this.#links.find({ tenant, state: 'given' }).toArray();
    return found.map(wordOf);
  }

  async relatives(tenant: string, subjects: readonly SubjectKey[]): Promise<SubjectKey[]> {
    const related = new Map<string, SubjectKey>();
    for (const chunk of chunksOf(subjects)) {
      const ids = chunk.map((subject) => entityId(tenant, subject));
      for await (const { main } of this.#links.find({ _id: { $in: ids } })) related.set(main, Buffer.from(main, 'hex'));
      for await (const { _id } of this.#links.find({ tenant, main: { $in: chunk.map(hexOf) } })) {
        const alias = _id.slice(tenant.length + 1);
        related.set(alias, Buffer.from(alias, 'hex'));
      }
    }
    for (const subject of subjects) related.delete(hexOf(subject));
    return [...related.values()];
  }
}

function wordOf({ _id, tenant, main, relation, purposes, state, at }: IdentityDocument): IdentityWord {
  const alias = Buffer.from(_id.slice(tenant.length + 1), 'hex');
  return { alias, main: Buffer.from(main, 'hex'), relation, purposes, state, at };
}

export function mongoIdentities(db: Db, people: People): Identities {
  return new MongoIdentities(db, people);
}
