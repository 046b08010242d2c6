/** Owns what is served: one small document a person and version, and one fallback list a version. */
import type { Collection, Db } from 'mongodb';
import { hexOf } from '../../governance/keys.ts';
import type { Served, ServedCandidates, SubjectKey } from '../ports.ts';
import { refusedAsDuplicates } from './driver-errors.ts';
import { CHUNK_DOCS, chunksOf, COLLECTIONS, idOf } from './names.ts';

interface CandidatesDocument {
  _id: string;
  /** 16 bytes an item, best first. */
  items: Uint8Array;
  /** Little-endian f32, parallel to items. */
  scores: Uint8Array;
  origin: ServedCandidates['origin'];
}
interface SegmentDocument {
  _id: string;
  segment: number;
}

const FALLBACK = 'fallback';
const keyAt = (keys: Uint8Array, index: number): Uint8Array => keys.subarray(index * 16, index * 16 + 16);
const served = (tenant: string, version: string, subject: Uint8Array): string => idOf(tenant, version, hexOf(subject));

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
    const { subjects, itemKeys, k, items, scores, fallback, fromPopularity } = lists;
    const people = subjects.length / 16;
    const listOf = (indices: ArrayLike<number>, from: ArrayLike<number>, origin: ServedCandidates['origin']) => {
      const kept = Array.from(indices, (item, place) => ({ item, score: from[place] ?? 0 })).filter(
        ({ item }) => item >= 0,
      );
      const keys = new Uint8Array(kept.length * 16);
      kept.forEach(({ item }, place) => keys.set(keyAt(itemKeys, item), place * 16));
      const values = Float32Array.from(kept, ({ score }) => score);
      return { items: keys, scores: new Uint8Array(values.buffer), origin };
    };
    for (let at = 0; at < people; at += CHUNK_DOCS) {
      const documents = Array.from({ length: Math.min(CHUNK_DOCS, people - at) }, (_, index) => {
        const person = at + index;
        const [from, to] = [person * k, (person + 1) * k];
        const origin = fromPopularity?.[person] === 1 ? 'popularity' : 'model';
        const list = listOf(items.subarray(from, to), scores.subarray(from, to), origin);
        return { _id: served(tenant, version, keyAt(subjects, person)), ...list };
      });
      await refusedAsDuplicates(this.#candidates.insertMany(documents, { ordered: false }));
    }
    const general = { _id: idOf(tenant, version, FALLBACK), ...listOf(fallback, [], 'popularity') };
    await refusedAsDuplicates(this.#candidates.insertMany([general], { ordered: false }));
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
    return { items: scores.map((_, index) => keyAt(keys, index)), scores, origin: found.origin };
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
      await refusedAsDuplicates(this.#segments.insertMany(documents, { ordered: false }));
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
