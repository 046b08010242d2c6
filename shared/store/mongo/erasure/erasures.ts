/**
 * Owns erasure in the store: in which order a person leaves, and what is signed about it.
 *
 * Order: what can be found by the person's key goes last, so that a pass that was cut off finds again what it has not finished. Nothing here is visible as
 * half done: whoever reads meanwhile meets a block with the person or its successor without.
 */
import { createPublicKey, type KeyObject, sign } from 'node:crypto';
import type { Collection, Db } from 'mongodb';
import type { MasterRing } from '../../../governance/crypto.ts';
import type { PersonalKeys } from '../../../governance/keys.ts';
import { canonicalJson } from '../../../governance/signing.ts';
import {
  type Consents,
  type ErasedArtefact,
  type ErasureOptions,
  type ErasureReport,
  type Erasures,
  type ErasureSweep,
  type NotedSweep,
  EVENT_ROWS,
  type SignedErasureReport,
  type SubjectKey,
} from '../../ports.ts';
import type { BlockStore } from '../block-store.ts';
import { isDuplicateKey } from '../driver-errors.ts';
import type { WriteFormat } from '../formats.ts';
import { COLLECTIONS, idOf } from '../names.ts';
import type { Partitions } from '../partitions.ts';
import { checkDocuments } from './checking.ts';
import {
  forgetLineage,
  forgetQuarantined,
  type Person,
  removeCheckpoints,
  removeOwn,
  removeServedTo,
} from './documents.ts';
import { rewritePartitions } from './events.ts';
import { blocksOf, type Search, searchBlocks } from './searching.ts';
import { eraseVersions } from './versions.ts';

interface ReportDocument extends Partial<SignedErasureReport> {
  _id: string;
  tenant: string;
  at: number;
  /** Until it is signed: what the passes so far have done. */
  noted?: NotedSweep;
}

interface Parts {
  readonly db: Db;
  readonly ring: MasterRing;
  readonly personal: Pick<PersonalKeys, 'mark'>;
  readonly blocks: BlockStore;
  readonly partitions: Partitions;
  readonly writes: Pick<WriteFormat, 'current'>;
  readonly consents: Consents;
  readonly signingKey: KeyObject;
}

class MongoErasures implements Erasures {
  readonly #parts: Parts;
  readonly #reports: Collection<ReportDocument>;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#reports = parts.db.collection<ReportDocument>(COLLECTIONS.erasures);
  }

  mark(tenant: string, subject: SubjectKey): string {
    return this.#parts.personal.mark(tenant, subject);
  }

  publicKey(): string {
    return createPublicKey(this.#parts.signingKey).export({ type: 'spki', format: 'pem' }).toString();
  }

  async sweep(tenant: string, subject: SubjectKey, options: ErasureOptions): Promise<ErasureSweep> {
    const { db, ring, consents } = this.#parts;
    const { externalId, sources, signal } = options;
    const person: Person = { tenant, subject, externalId };
    const events = await this.#sweepBlocks(person, options);
    signal?.throwIfAborted();
    if (sources !== undefined) return events;
    const quarantine = await forgetQuarantined(db, ring, person);
    const served = await removeServedTo(db, person);
    const said = await consents.forget(tenant, subject);
    const own = await removeOwn(db, person);
    const log = { artefact: `${COLLECTIONS.consentLog} (entries)`, checked: said, removed: said, left: 0 };
    const looked = await checkDocuments(db, subject, signal);
    return {
      artefacts: [...events.artefacts, quarantine, ...served, log, ...own, ...looked],
      versions: events.versions,
    };
  }

  async #sweepBlocks(person: Person, options: ErasureOptions): Promise<ErasureSweep> {
    const { db, ring, blocks } = this.#parts;
    const { tenant, subject, externalId } = person;
    const { sources, signal, onProgress } = options;
    const whose = { subject, sources };
    const search: Search = { blocks, ...whose, externalId, signal };
    const listed = await blocksOf(db, tenant);
    const { isQuiet, keep } = await options.quiet();
    const found = await searchBlocks(listed, { ...search, onProgress });
    const lineage = await forgetLineage(db, ring, person, found.eventIds);
    const format = await this.#parts.writes.current();
    const rewritten = await rewritePartitions({ ...this.#parts, format }, tenant, whose, found.ofPerson);
    const named = await this.#named(tenant);
    const erased = await eraseVersions(db, tenant, (block) => found.ofPerson.has(block), named);
    const checkpoints = await removeCheckpoints(db, person);
    const doomed = new Set([...rewritten.gone, ...erased.blocks, ...checkpoints.blocks]);
    const naming = sources === undefined ? found.naming : [];
    const floating = [...found.ofPerson.keys(), ...naming].filter(
      (block) => !doomed.has(block) && !erased.kept.has(block) && !keep.has(block),
    );
    if (isQuiet) for (const block of floating) doomed.add(block);
    // What a manifest names stays, whatever it is: nobody could read the rows of others in it any more.
    for (const block of named) doomed.delete(block);
    await blocks.shred([...doomed].map((block) => ({ block, hash: '' })));
    const left = [...found.ofPerson.keys(), ...floating].filter((block) => !doomed.has(block) && !keep.has(block));
    // Others may have merged the person's blocks since they were looked into.
    const since = [...named].filter((block) => !found.seen.has(block) && !rewritten.successors.has(block));
    const again = await searchBlocks(since, search);
    return {
      artefacts: [
        artefact(EVENT_ROWS, found.seen.size, rewritten.removed, rewritten.missed + again.ofPerson.size),
        lineage,
        artefact('versions', erased.checked, erased.versions.length, 0),
        checkpoints.artefact,
        artefact('blocks', found.seen.size, doomed.size, new Set(left).size),
      ],
      versions: erased.versions,
    };
  }

  /** Blocks that the manifests of events name. */
  async #named(tenant: string): Promise<Set<string>> {
    const { partitions } = this.#parts;
    const views = await partitions.views(tenant, await partitions.names(tenant));
    await partitions.refresh(views);
    return new Set(views.flatMap((view) => [...view.blocks.keys()]));
  }

  async keep(report: ErasureReport): Promise<SignedErasureReport> {
    const { signingKey } = this.#parts;
    const signed: SignedErasureReport = {
      report,
      signature: sign(null, Buffer.from(canonicalJson(report)), signingKey).toString('base64'),
      publicKey: this.publicKey(),
    };
    const _id = idOf(report.tenant, report.id);
    const document = { tenant: report.tenant, at: report.finishedAt, ...signed };
    try {
      await this.#reports.replaceOne({ _id, signature: { $exists: false } }, document, { upsert: true });
      return signed;
    } catch (thrown) {
      if (!isDuplicateKey(thrown)) throw thrown; // it was signed before
      return (await this.read(report.tenant, report.id)) ?? signed;
    }
  }

  async note(tenant: string, id: string, pass: NotedSweep): Promise<NotedSweep> {
    const _id = idOf(tenant, id);
    const before = (await this.#reports.findOne({ _id }))?.noted;
    const noted = before === undefined ? pass : together(before, pass);
    try {
      const unsigned = { _id, signature: { $exists: false } };
      await this.#reports.updateOne(unsigned, { $set: { tenant, at: Date.now(), noted } }, { upsert: true });
    } catch (thrown) {
      if (!isDuplicateKey(thrown)) throw thrown; // it was signed before: the upsert met its key
    }
    return noted;
  }

  async read(tenant: string, id: string): Promise<SignedErasureReport | undefined> {
    const found = await this.#reports.findOne({ _id: idOf(tenant, id) });
    return found?.signature === undefined ? undefined : toSigned(found as ReportDocument & SignedErasureReport);
  }

  async list(tenant: string, limit: number): Promise<SignedErasureReport[]> {
    const signed = this.#reports
      .find({ tenant, signature: { $exists: true } })
      .sort({ at: -1 })
      .limit(limit);
    return (await signed.toArray()).map((found) => toSigned(found as ReportDocument & SignedErasureReport));
  }
}

/** Two passes as one: what both removed, what the later one checked and left. */
function together(before: NotedSweep, pass: NotedSweep): NotedSweep {
  const removed = new Map(before.artefacts.map((one) => [one.artefact, one.removed]));
  const foundAt = pass.foundAt ?? before.foundAt;
  return {
    artefacts: pass.artefacts.map((one) => ({ ...one, removed: one.removed + (removed.get(one.artefact) ?? 0) })),
    versions: [...new Set([...before.versions, ...pass.versions])].sort(),
    ...(foundAt !== undefined && { foundAt }),
  };
}

const toSigned = ({ report, signature, publicKey }: SignedErasureReport): SignedErasureReport => ({
  report,
  signature,
  publicKey,
});

const artefact = (name: string, checked: number, removed: number, left: number): ErasedArtefact => ({
  artefact: name,
  checked,
  removed,
  left,
});

export function mongoErasures(parts: Parts): Erasures {
  return new MongoErasures(parts);
}

export function createErasureIndexes(db: Db): Promise<unknown> {
  return db.collection(COLLECTIONS.erasures).createIndexes([{ key: { tenant: 1, at: -1 }, name: 'newest' }]);
}
