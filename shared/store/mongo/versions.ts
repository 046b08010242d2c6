/** Owns data set versions: immutable manifests of block hashes, and the named arrays that they hold. */
import { hash } from 'node:crypto';
import type { Collection, Db } from 'mongodb';
import { z } from 'zod';
import { AppError } from '../../errors.ts';
import { bytesOf, typeNameOf, viewOf } from '../blocks/columns.ts';
import type { DatasetVersion, NamedArray, VersionDraft, VersionKind, VersionOutline, Versions } from '../ports.ts';
import { BLOCK_BYTES_MAX, type BlockStore } from './block-store.ts';
import { isDuplicateKey } from './driver-errors.ts';
import { COLLECTIONS, idOf } from './names.ts';

type VersionDocument = Omit<DatasetVersion, 'version' | 'state'> & {
  _id: string;
  /** `collected`: what is left of it is about to go. */
  state: DatasetVersion['state'] | 'collected';
  /** Since when nobody names it; kept by collection. */
  unnamedAt?: number;
  /** How often a migration gave its blocks successors. */
  swaps?: number;
};

/** A stretch of one named array. `offset` and `bytes` count bytes of the whole array. */
const arrayBlockSchema = z.object({
  block: z.string(),
  hash: z.string(),
  name: z.string(),
  type: z.enum(['u8', 'i32', 'f32', 'f64']),
  /** Bytes of the whole array. */
  total: z.int(),
  offset: z.int(),
  bytes: z.int(),
});
type ArrayBlock = z.output<typeof arrayBlockSchema>;

/** The id of what a run makes under a fence: another attempt makes another version. */
export function versionOf(kind: VersionKind, runKey: string, fence: number): string {
  return `${kind}-${hash('sha256', `${kind}\0${runKey}\0${fence}`, 'hex').slice(0, 24)}`;
}

class MongoVersions implements Versions {
  readonly #versions: Collection<VersionDocument>;
  readonly #blocks: BlockStore;
  readonly #clock: () => number;

  constructor(db: Db, blocks: BlockStore, clock: () => number) {
    this.#versions = db.collection<VersionDocument>(COLLECTIONS.versions);
    this.#blocks = blocks;
    this.#clock = clock;
  }

  async draft(
    tenant: string,
    _runKey: string,
    _fence: number,
    rows: number,
    arrays: readonly NamedArray[],
  ): Promise<VersionDraft> {
    const blocks: ArrayBlock[] = [];
    for (const { name, data } of arrays) {
      const bytes = bytesOf(data);
      const type = arrayBlockSchema.shape.type.parse(typeNameOf(data));
      // An empty array has one empty block, so that it comes back.
      for (let offset = 0; offset === 0 || offset < bytes.length; offset += BLOCK_BYTES_MAX) {
        const stretch = bytes.subarray(offset, offset + BLOCK_BYTES_MAX);
        const sealed = await this.#blocks.seal(this.#blocks.newId(tenant), stretch, 'zstd');
        await this.#blocks.write([sealed]);
        const { block, hash } = sealed;
        blocks.push({ block, hash, name, type, total: bytes.length, offset, bytes: stretch.length });
      }
    }
    return { rows, blocks };
  }

  async discard(_tenant: string, draft: VersionDraft): Promise<void> {
    await this.#blocks.shred(arrayBlockSchema.array().parse(draft.blocks));
  }

  async write(given: Parameters<Versions['write']>[0]): Promise<DatasetVersion> {
    const { fence, ...rest } = given;
    const version = versionOf(given.kind, given.runKey, fence);
    const written: DatasetVersion = { ...rest, version, createdAt: this.#clock(), state: 'ready' };
    try {
      await this.#versions.insertOne(toDocument(written));
      return written;
    } catch (thrown) {
      if (!isDuplicateKey(thrown)) throw thrown;
      return this.read(given.tenant, version); // the same fence wrote it before
    }
  }

  async read(tenant: string, version: string): Promise<DatasetVersion> {
    const found = await this.#versions.findOne({ _id: idOf(tenant, version) });
    if (found === null || found.state === 'collected')
      throw new AppError('DATASET_NOT_FOUND', { details: { version } });
    if (found.unnamedAt !== undefined) await this.#ask(tenant, version);
    if (found.state === 'erased') throw new AppError('DATASET_ERASED', { details: { version } });
    return toVersion(found);
  }

  /** Who reads what nobody names takes its mark off: from then on it stays for another window, or it was gone before. */
  async #ask(tenant: string, version: string): Promise<void> {
    const there = { _id: idOf(tenant, version), state: { $ne: 'collected' as const } };
    const asked = await this.#versions.updateOne(there, { $unset: { unnamedAt: '' } });
    if (asked.matchedCount === 0) throw new AppError('DATASET_NOT_FOUND', { details: { version } });
  }

  async arrays(
    _tenant: string,
    version: Pick<VersionDraft, 'blocks'>,
    only?: ReadonlySet<string>,
  ): ReturnType<Versions['arrays']> {
    const all = arrayBlockSchema.array().parse(version.blocks);
    const blocks = only === undefined ? all : all.filter(({ name }) => only.has(name));
    const memory = new Map<string, { readonly buffer: SharedArrayBuffer; readonly type: ArrayBlock['type'] }>();
    for (const { name, type, total } of blocks)
      if (!memory.has(name)) memory.set(name, { buffer: new SharedArrayBuffer(total), type });
    const into = blocks.map(({ name, offset, bytes }) => new Uint8Array(memory.get(name)!.buffer, offset, bytes));
    await this.#blocks.open(blocks, { into });
    return new Map(
      [...memory].map(([name, { buffer, type }]) => {
        const width = { u8: 1, i32: 4, f32: 4, f64: 8 }[type];
        return [name, viewOf(type, buffer, 0, buffer.byteLength / width) as NamedArray['data']];
      }),
    );
  }

  async outline(tenant: string, versions: readonly string[]): Promise<VersionOutline[]> {
    if (versions.length === 0) return [];
    const found = await this.#versions
      .find({ _id: { $in: versions.map((version) => idOf(tenant, version)) } })
      .project<Pick<VersionDocument, '_id' | 'kind' | 'rows' | 'inputs' | 'state' | 'blocks' | 'meta'>>({
        kind: 1,
        rows: 1,
        inputs: 1,
        state: 1,
        'blocks.name': 1,
        'meta.model': 1,
      })
      .toArray();
    return found.map(({ _id, blocks, meta, state, ...rest }) => {
      const model: unknown = (meta as { readonly model?: unknown } | undefined)?.model;
      const names = new Set((blocks as readonly { readonly name?: string }[]).flatMap(({ name }) => name ?? []));
      return {
        ...rest,
        version: _id.slice(tenant.length + 1),
        state: state === 'collected' ? 'erased' : state,
        arrays: [...names].map((name) => ({ name })),
        ...(typeof model === 'string' ? { model } : {}),
      };
    });
  }

  async latest(tenant: string, kind: VersionKind, limit: number): Promise<DatasetVersion[]> {
    const found = await this.#versions
      .find({ tenant, kind, state: { $ne: 'collected' } })
      .sort({ createdAt: -1 })
      .limit(limit)
      .toArray();
    return found.map(toVersion);
  }

  async markStale(tenant: string, version: string): Promise<void> {
    await this.#versions.updateOne({ _id: idOf(tenant, version), state: 'ready' }, { $set: { state: 'stale' } });
  }
}

function toDocument({ version, ...rest }: DatasetVersion): VersionDocument {
  const present = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
  return { ...(present as typeof rest), _id: idOf(rest.tenant, version) };
}

function toVersion({ _id, unnamedAt: _unnamedAt, swaps: _swaps, ...rest }: VersionDocument): DatasetVersion {
  return { ...(rest as Omit<DatasetVersion, 'version'>), version: _id.slice(rest.tenant.length + 1) };
}

export function mongoVersions(db: Db, blocks: BlockStore, clock: () => number): Versions {
  return new MongoVersions(db, blocks, clock);
}
