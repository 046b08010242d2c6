/** Owns the receipts that people are given: signed, and kept among the texts under the person's own key, so that they are shredded with it. */
import { createPublicKey, type KeyObject, sign } from 'node:crypto';
import { type ConsentReceipt, readReceipt, type SignedReceipt } from '../../governance/consent-receipt.ts';
import { hexOf, receiptKeyOf } from '../../governance/keys.ts';
import { canonicalJson } from '../../governance/signing.ts';
import { AppError } from '../../errors.ts';
import type { People, Receipts, SubjectKey } from '../ports.ts';

class MongoReceipts implements Receipts {
  readonly #people: People;
  readonly #signingKey: KeyObject;

  constructor(people: People, signingKey: KeyObject) {
    this.#people = people;
    this.#signingKey = signingKey;
  }

  publicKey(): string {
    return createPublicKey(this.#signingKey).export({ type: 'spki', format: 'pem' }).toString();
  }

  async issue(tenant: string, subject: SubjectKey, receipt: ConsentReceipt): Promise<SignedReceipt> {
    const signature = sign(null, Buffer.from(canonicalJson(receipt)), this.#signingKey).toString('base64');
    const signed = { receipt, signature, publicKey: this.publicKey() };
    const eventId = receiptKeyOf(tenant, receipt['dct:identifier']);
    await this.#people.keepTexts(tenant, [{ subject, eventId, text: JSON.stringify(signed) }]);
    const kept = (await this.#people.texts(tenant, subject)).find((text) => hexOf(text.eventId) === hexOf(eventId));
    const found = kept && readReceipt(kept.text);
    if (found === undefined) throw new AppError('PERSON_ERASED');
    return found;
  }

  async of(tenant: string, subject: SubjectKey): Promise<SignedReceipt[]> {
    const texts = await this.#people.texts(tenant, subject);
    const receipts = texts.flatMap(({ eventId, text }) => {
      const read = readReceipt(text);
      // A comment that looks like a receipt lies under the id of an event.
      const isOwn = read && hexOf(receiptKeyOf(tenant, read.receipt['dct:identifier'])) === hexOf(eventId);
      return isOwn ? [read] : [];
    });
    return receipts.sort((a, b) => (a.receipt['dct:created'] < b.receipt['dct:created'] ? -1 : 1));
  }
}

export function mongoReceipts(people: People, signingKey: KeyObject): Receipts {
  return new MongoReceipts(people, signingKey);
}
