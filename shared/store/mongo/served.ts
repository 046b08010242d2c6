/** Owns what is served: one small document a person and version, and one fallback list a version. */
import type { Collection, Db } from 'mongodb';
import { hexOf } from '../../governance/keys.ts';
import type { Served, ServedCandidates, SubjectKey } from '../ports.ts';
import { refusedAsDuplicates } from './driver-errors.ts';
import { CHUNK_DOCS, chunksOf, COLLECTIONS, idOf, idsUnder } from './names.ts';

interface CandidatesDocument {
  _id: string;
  /** 16 bytes an item, best first. */
  items: Uint8Array;
  /** Little-endian f32, parallel to items. */
  scores: Uint8Array;
  /** 16 bytes an item, parallel to items; all zero: none. Absent where no item has one. */
  reasons?: Uint8Array;
  origin: ServedCandidates['origin'];
}
interface SegmentDocument {
  _id: string;
  segment: number;
}

const FALLBACK = 'fallback';
const keyAt = (keys: Uint8Array, index: number): Uint8Array => keys.subarray(index * 16, index * 16 + 16);
const served = (tenant: string, version: string, subject: Uint8Array): string => idOf(tenant, version, hexOf(subject));

interface List {
  /** Places in the item keys; -1: none. */
  readonly items: ArrayLike<number>;
  readonly scores: ArrayLike<number>;
  readonly reasons?: ArrayLike<number> | undefined;
}

function listOf(
  itemKeys: Uint8Array,
  { items, scores, reasons }: List,
  origin: ServedCandidates['origin'],
): Omit<CandidatesDocument, '_id'> {
  const kept = Array.from(items, (item, place) => ({
    item,
    score: scores[place] ?? 0,
    reason: reasons?.[place] ?? -1,
  }));
  const shown = kept.filter(({ item }) => item >= 0);
  const keys = new Uint8Array(shown.length * 16);
  const nearest = new Uint8Array(shown.length * 16);
  shown.forEach(({ item, reason }, place) => {
    keys.set(keyAt(itemKeys, item), place * 16);
    if (reason >= 0) nearest.set(keyAt(itemKeys, reason), place * 16);
  });
  const values = Float32Array.from(shown, ({ score }) => score);
  const list = { items: keys, scores: new Uint8Array(values.buffer), origin };
  return shown.some(({ reason }) => reason >= 0) ? { ...list, reasons: nearest } : list;
}

class MongoServed implements Served {
  readonly #candidates: Collection<CandidatesDocument>;
  readonly #segments: Collection<SegmentDocument>;

  constructor(db: Db) {
    this.#candidates = db.collection<CandidatesDocument>(COLLECTIONS.candidates);
    this.#segments = db.collection<SegmentDocument>(COLLECTIONS.segments);
  }

  async writeCandidates(
    tenant: string,
    version: string,
    lists: Parameters<Served['writeCandidates']>[2],
  ): Promise<void> {
    const { subjects, itemKeys, k, items, scores, reasons, fallback, fallbackScores, fromPopularity } = lists;
    const people = subjects.length / 16;
    for (let at = 0; at < people; at += CHUNK_DOCS) {
      const documents = Array.from({ length: Math.min(CHUNK_DOCS, people - at) }, (_, index) => {
        const person = at + index;
        const [from, to] = [person * k, (person + 1) * k];
        const origin = fromPopularity?.[person] === 1 ? 'popularity' : 'model';
        const own = { items: items.subarray(from, to), scores: scores.subarray(from, to) };
        const list = listOf(itemKeys, { ...own, reasons: reasons?.subarray(from, to) }, origin);
        return { _id: served(tenant, version, keyAt(subjects, person)), ...list };
      });
      await refusedAsDuplicates(this.#candidates, documents);
    }
    const general = {
      _id: idOf(tenant, version, FALLBACK),
      ...listOf(itemKeys, { items: fallback, scores: fallbackScores ?? [] }, 'popularity'),
    };
    await refusedAsDuplicates(this.#candidates, [general]);
  }

  candidates(tenant: string, version: string, subject: SubjectKey): Promise<ServedCandidates | undefined> {
    return this.#read(served(tenant, version, subject));
  }

  fallback(tenant: string, version: string): Promise<ServedCandidates | undefined> {
    return this.#read(idOf(tenant, version, FALLBACK));
  }

  async #read(id: string): Promise<ServedCandidates | undefined> {
    const found = await this.#candidates.findOne({ _id: id });
    if (found === null) return undefined;
    const keys = Uint8Array.from(found.items);
    const scores = [...new Float32Array(Uint8Array.from(found.scores).buffer)];
    const items = scores.map((_, index) => keyAt(keys, index));
    if (found.reasons === undefined) return { items, scores, origin: found.origin };
    const nearest = Uint8Array.from(found.reasons);
    const reasons = scores.map((_, index) => {
      const key = keyAt(nearest, index);
      return key.some((byte) => byte !== 0) ? key : undefined;
    });
    return { items, scores, reasons, origin: found.origin };
  }

  async writeSegments(
    tenant: string,
    version: string,
    assignment: Parameters<Served['writeSegments']>[2],
  ): Promise<void> {
    const { subjects, segment } = assignment;
    for (let at = 0; at < segment.length; at += CHUNK_DOCS) {
      const documents = Array.from(segment.subarray(at, at + CHUNK_DOCS), (value, index) => ({
        _id: served(tenant, version, keyAt(subjects, at + index)),
        segment: value,
      }));
      await refusedAsDuplicates(this.#segments, documents);
    }
  }

  async segment(tenant: string, version: string, subject: SubjectKey): Promise<number | undefined> {
    const found = await this.#segments.findOne({ _id: served(tenant, version, subject) });
    return found?.segment;
  }

  async drop(tenant: string, version: string, subjects: readonly SubjectKey[]): Promise<void> {
    for (const chunk of chunksOf(subjects)) {
      const _id = { $in: chunk.map((subject) => served(tenant, version, subject)) };
      await Promise.all([this.#candidates.deleteMany({ _id }), this.#segments.deleteMany({ _id })]);
    }
  }
}

export function mongoServed(db: Db): Served {
  return new MongoServed(db);
}

/** Removes everything that is served of a version, by the id of its document: a small document a person, so they go in chunks. */
export async function removeServed(db: Db, version: string): Promise<void> {
  for (const name of [COLLECTIONS.candidates, COLLECTIONS.segments, COLLECTIONS.prompts]) {
    const collection = db.collection<{ _id: string }>(name);
    const ids = await collection.find({ _id: idsUnder(version) }, { projection: { _id: 1 } }).toArray();
    for (const chunk of chunksOf(ids)) await collection.deleteMany({ _id: { $in: chunk.map(({ _id }) => _id) } });
  }
}
