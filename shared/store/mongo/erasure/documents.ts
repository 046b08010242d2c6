/** Owns a person's way out of small documents: their own, those served to them, those about them, and batches that hold them among others. */
import type { Collection, Db, Filter } from 'mongodb';
import { AppError } from '../../../errors.ts';
import { decrypt, encrypt, type MasterRing, newDataKey, unwrapKey, wrapKey } from '../../../governance/crypto.ts';
import { hexOf } from '../../../governance/keys.ts';
import { mentions } from '../../../governance/mentions.ts';
import type { ErasedArtefact, SubjectKey } from '../../ports.ts';
import { placeOfIds } from '../lineage.ts';
import { placeOfBody } from '../quarantine.ts';
import { chunksOf, COLLECTIONS, entityId, idOf, idsUnder } from '../names.ts';

const ID_BYTES = 16;
/** Looks at one document that others write. */
const TURNS_MAX = 100;

interface Sealed {
  readonly _id: string;
  readonly kid: string;
  readonly key: Uint8Array;
  readonly box: Uint8Array;
}

export interface Person {
  readonly tenant: string;
  readonly subject: SubjectKey;
  readonly externalId: string;
}

/** Documents that are the person's alone. With the first the key of all their texts goes. */
export async function removeOwn(db: Db, { tenant, subject }: Person): Promise<ErasedArtefact[]> {
  const own = entityId(tenant, subject);
  const removals: readonly (readonly [string, object])[] = [
    [COLLECTIONS.people, { _id: own }],
    [COLLECTIONS.texts, { _id: idsUnder(own) }],
    [COLLECTIONS.verdicts, { _id: own }],
    [COLLECTIONS.personWindows, { _id: idsUnder(own) }],
    [COLLECTIONS.promptMarks, { _id: own }],
    // Both ends of a link are theirs: as a name of somebody, and as somebody with names.
    [COLLECTIONS.identities, { $or: [{ _id: own }, { tenant, main: hexOf(subject) }] }],
    [COLLECTIONS.answers, { tenant, subject: Buffer.from(subject) }],
    [COLLECTIONS.exposures, { tenant, subject: Buffer.from(subject) }],
  ];
  const removed: ErasedArtefact[] = [];
  for (const [name, filter] of removals) {
    const collection = db.collection(name);
    const checked = await collection.countDocuments({ _id: idsUnder(tenant) } as object);
    const { deletedCount } = await collection.deleteMany(filter);
    removed.push({ artefact: name, checked, removed: deletedCount, left: 0 });
  }
  return removed;
}

/** What is served to the person, of every version. */
export async function removeServedTo(db: Db, { tenant, subject }: Person): Promise<ErasedArtefact[]> {
  const versions = await db
    .collection<{ _id: string }>(COLLECTIONS.versions)
    .find({ _id: idsUnder(tenant) }, { projection: { _id: 1 } })
    .toArray();
  const ids = versions.map(({ _id }) => `${_id}.${hexOf(subject)}`);
  const removed: ErasedArtefact[] = [];
  for (const name of [COLLECTIONS.candidates, COLLECTIONS.segments]) {
    let count = 0;
    for (const chunk of chunksOf(ids)) {
      const collection = db.collection<{ _id: string }>(name);
      count += (await collection.deleteMany({ _id: { $in: [...chunk] } })).deletedCount;
    }
    removed.push({ artefact: name, checked: ids.length, removed: count, left: 0 });
  }
  removed.push(await removePrompt(db, { tenant, subject }));
  return removed;
}

/** What the person is about to be asked; only the current prompts are there. */
async function removePrompt(db: Db, { tenant, subject }: Pick<Person, 'tenant' | 'subject'>): Promise<ErasedArtefact> {
  const current = await db
    .collection<{ _id: string; version: string }>(COLLECTIONS.currentPrompts)
    .findOne({ _id: tenant });
  if (current === null) return { artefact: COLLECTIONS.prompts, checked: 0, removed: 0, left: 0 };
  const own = { _id: idOf(tenant, current.version, hexOf(subject)) };
  const { deletedCount } = await db.collection<{ _id: string }>(COLLECTIONS.prompts).deleteOne(own);
  return { artefact: COLLECTIONS.prompts, checked: 1, removed: deletedCount, left: 0 };
}

/** The ids of the person's events, out of the notes of which batch brought which. */
export async function forgetLineage(
  db: Db,
  ring: MasterRing,
  { tenant }: Person,
  eventIds: ReadonlySet<string>,
): Promise<ErasedArtefact> {
  const batches = db.collection<Sealed & { events: number }>(COLLECTIONS.lineage);
  let [checked, removed] = [0, 0];
  for await (const batch of batches.find({ _id: idsUnder(tenant) })) {
    checked += 1;
    if (eventIds.size === 0) continue;
    const place = placeOfIds(batch._id);
    removed += await untilUnmoved(batches, batch, async (now) => {
      const ids = decrypt(unwrapKey(ring, now, place, now._id), now.box, place, now._id);
      const left = withoutIds(ids, eventIds);
      const gone = (ids.length - left.length) / ID_BYTES;
      const same = { _id: now._id, key: now.key };
      if (gone === 0) return 0;
      if (left.length === 0) return (await batches.deleteOne(same)).deletedCount === 1 ? gone : undefined;
      const sealed = sealedAnew(ring, left, place);
      const { matchedCount } = await batches.updateOne(same, { $set: { ...sealed, events: left.length / ID_BYTES } });
      return matchedCount === 1 ? gone : undefined;
    });
  }
  return { artefact: `${COLLECTIONS.lineage} (ids of events)`, checked, removed, left: 0 };
}

/**
 * Changes a document where its key is still the one that was read, and looks at it anew where it is not: a rotation may wrap it again at that very moment.
 * `change` gives what it took out, undefined where the document had moved on. 0: it is gone.
 */
async function untilUnmoved<D extends { readonly _id: string }>(
  collection: Collection<D>,
  found: D,
  change: (now: D) => Promise<number | undefined>,
): Promise<number> {
  let now: D | null = found;
  for (let turn = 0; now !== null && turn < TURNS_MAX; turn++) {
    const taken = await change(now);
    if (taken !== undefined) return taken;
    now = (await collection.findOne({ _id: found._id } as Filter<D>)) as D | null;
  }
  if (now === null) return 0;
  throw new AppError('SERVICE_UNAVAILABLE', { message: `${found._id} has too many writers.` });
}

/** Under a data key of its own, so that the old one opens nothing that is left. */
function sealedAnew(ring: MasterRing, plain: Uint8Array, place: string) {
  const dataKey = newDataKey();
  return { ...wrapKey(ring, dataKey, place), box: encrypt(dataKey, plain, place) };
}

function withoutIds(ids: Buffer, gone: ReadonlySet<string>): Buffer {
  const left: Buffer[] = [];
  for (let at = 0; at < ids.length; at += ID_BYTES) {
    const id = ids.subarray(at, at + ID_BYTES);
    if (!gone.has(id.toString('latin1'))) left.push(id);
  }
  return Buffer.concat(left);
}

/** Records that name the person, out of the batches that wait: to be understood, or to be let in. */
export async function forgetQuarantined(
  db: Db,
  ring: MasterRing,
  { tenant, externalId }: Person,
): Promise<ErasedArtefact> {
  const batches = db.collection<Partial<Sealed> & { _id: string; records: number }>(COLLECTIONS.quarantine);
  let [checked, removed] = [0, 0];
  for await (const batch of batches.find({ _id: idsUnder(tenant), box: { $exists: true } })) {
    checked += 1;
    const place = placeOfBody(batch._id);
    removed += await untilUnmoved(batches, batch, async ({ _id, kid, key, box }) => {
      if (kid === undefined || key === undefined || box === undefined) return 0;
      const body = JSON.parse(decrypt(unwrapKey(ring, { kid, key }, place, _id), box, place, _id).toString()) as {
        readonly events: readonly unknown[];
      };
      const events = body.events.filter((record) => !mentions(record, externalId));
      const gone = body.events.length - events.length;
      if (gone === 0) return 0;
      const sealed = sealedAnew(ring, Buffer.from(JSON.stringify({ ...body, events })), place);
      const { matchedCount } = await batches.updateOne({ _id, key }, { $set: { ...sealed, records: events.length } });
      return matchedCount === 1 ? gone : undefined;
    });
  }
  return { artefact: COLLECTIONS.quarantine, checked, removed, left: 0 };
}

/** What trainings could go on from: they may have learned from the person. */
export async function removeCheckpoints(
  db: Db,
  { tenant }: Person,
): Promise<{ artefact: ErasedArtefact; blocks: string[] }> {
  const collection = db.collection<{ _id: string; blocks: readonly { readonly block: string }[] }>(
    COLLECTIONS.checkpoints,
  );
  const found = await collection.find({ _id: idsUnder(tenant) }).toArray();
  const blocks: string[] = [];
  for (const checkpoint of found) {
    await collection.deleteOne({ _id: checkpoint._id });
    blocks.push(...checkpoint.blocks.map(({ block }) => block));
  }
  const artefact = { artefact: COLLECTIONS.checkpoints, checked: found.length, removed: found.length, left: 0 };
  return { artefact, blocks };
}
