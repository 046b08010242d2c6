/**
 * Owns encrypted blocks in MongoDB: immutable documents of at most 8 MB, each under a data key of its own, which lies wrapped
 * beside it. Deleting the document shreds the block; so does unsetting its `key`. Heavy work goes to the pool when there is one.
 */
import { hash, randomBytes } from 'node:crypto';
import type { Collection, Db } from 'mongodb';
import type { ComputePool, Task } from '../../compute/task.ts';
import { AppError } from '../../errors.ts';
import { type MasterRing, newDataKey, placeOf, unwrapKey, wrapKey } from '../../governance/crypto.ts';
import {
  compactBlocks,
  type CompactTask,
  mergeBlocks,
  openBlock,
  type OpenTask,
  type Packing,
  sealBlock,
  type SealedBlock,
  type SealTask,
} from '../blocks/block.task.ts';
import type { MergeInput } from '../blocks/canonical.ts';
import type { EventColumns } from '../ports.ts';
import { chunksOf, COLLECTIONS, idOf } from './names.ts';

/** Plain bytes of one block at most; with its overhead it stays under 8 MB. */
export const BLOCK_BYTES_MAX = 8_000_000;
/** Below this a thread costs more than it saves. */
const INLINE_BYTES_MAX = 256 * 1024;
/** Below this, copying a block to a thread costs less than shared memory of its own. */
const SHARED_BYTES_MIN = 64 * 1024;
/** Blocks that lie in memory between the store and the threads. */
const BLOCKS_IN_FLIGHT = 8;
/** The newest that is read. Of a block that is not packed by planes it is 1. */
export const BLOCK_FORMAT = 2;
const TASKS = new URL('../blocks/block.task.ts', import.meta.url).href;

/** As stored; binaries are promoted to buffers on the way out. */
interface BlockDocument {
  _id: string;
  v: number;
  /** Master key and wrapped data key; absent once shredded. */
  kid?: string;
  key?: Uint8Array;
  packing: Packing;
  plainBytes: number;
  data: Uint8Array;
  /** The block in an older format that this one is the successor of. */
  from?: string;
}

export interface BlockRef {
  readonly block: string;
  /** SHA-256 of the stored bytes, hex. */
  readonly hash: string;
}

export interface BlockStore {
  newId(tenant: string): string;
  /** Seals small blocks on this thread, and larger ones in the pool. Nothing is written yet. */
  seal(id: string, plain: Uint8Array, packing: Packing): Promise<SealedDocument>;
  compact(
    id: string,
    inputs: readonly MergeInput[],
    format: number,
  ): Promise<SealedDocument & { rows: number; recordedAtMax: number }>;
  write(blocks: readonly SealedDocument[]): Promise<void>;
  /** Takes key and bytes of blocks away for good; opening them gives BLOCK_KEY_MISSING. Idempotent. */
  shred(refs: readonly BlockRef[]): Promise<void>;
  /** Plain bytes of blocks in order, large ones on shared memory when asked for. `into[i]`: where to put them. Throws BLOCK_CORRUPT, BLOCK_KEY_MISSING. */
  open(
    refs: readonly BlockRef[],
    options?: { readonly shared?: boolean; readonly into?: readonly Uint8Array[] },
  ): Promise<Uint8Array[]>;
  merge(inputs: readonly MergeInput[]): Promise<EventColumns>;
  /** Writes a successor in the newest format, of the same plain bytes. Undefined: there is none that would give them back. */
  renew(ref: BlockRef): Promise<(BlockRef & { readonly bytesBefore: number; readonly bytesAfter: number }) | undefined>;
  /** Those of the blocks that are there and whose keys are, by whoever's name: with the hash of what is stored. One read each. */
  openThere(ids: readonly string[]): Promise<(BlockRef & { readonly plain: Uint8Array })[]>;
  /** SHA-256 of the stored bytes, hex. */
  hashOf(block: string): Promise<string>;
}

export interface SealedDocument extends BlockRef {
  readonly document: BlockDocument;
}

export const placeOfBlock = (id: string): string => placeOf(COLLECTIONS.blocks, 'data', id);

class MongoBlocks implements BlockStore {
  readonly #blocks: Collection<BlockDocument>;
  readonly #ring: MasterRing;
  readonly #pool: ComputePool | undefined;

  constructor(db: Db, ring: MasterRing, pool: ComputePool | undefined) {
    this.#blocks = db.collection<BlockDocument>(COLLECTIONS.blocks);
    this.#ring = ring;
    this.#pool = pool;
  }

  newId(tenant: string): string {
    return idOf(tenant, randomBytes(16).toString('hex'));
  }

  async seal(id: string, plain: Uint8Array, packing: Packing): Promise<SealedDocument> {
    const dataKey = newDataKey();
    const task: SealTask = { plain: this.#forThread(plain, plain.length), dataKey, place: placeOfBlock(id), packing };
    return this.#document(id, dataKey, await this.#run('sealBlock', sealBlock, task, plain.length));
  }

  async compact(
    id: string,
    inputs: readonly MergeInput[],
    format: number,
  ): Promise<SealedDocument & { rows: number; recordedAtMax: number }> {
    const dataKey = newDataKey();
    const packing = format >= 2 ? 'planes' : 'zstd';
    const task: CompactTask = { inputs, dataKey, place: placeOfBlock(id), packing };
    const made = await this.#run('compactBlocks', compactBlocks, task, sizeOf(inputs));
    return { ...this.#document(id, dataKey, made), rows: made.rows, recordedAtMax: made.recordedAtMax };
  }

  #document(id: string, dataKey: Uint8Array, sealed: SealedBlock): SealedDocument {
    const { kid, key } = wrapKey(this.#ring, dataKey, placeOfBlock(id));
    const { box, hash, packing, plainBytes } = sealed;
    return {
      block: id,
      hash,
      document: { _id: id, v: packing === 'planes' ? 2 : 1, kid, key, packing, plainBytes, data: box },
    };
  }

  async write(blocks: readonly SealedDocument[]): Promise<void> {
    // The driver cuts what it sends by the server's limit of a message; the chunks bound what is serialised at once.
    for (const chunk of chunksOf(blocks, 256)) {
      await this.#blocks.insertMany(
        chunk.map(({ document }) => document),
        { ordered: false },
      );
    }
  }

  async shred(refs: readonly BlockRef[]): Promise<void> {
    for (const chunk of chunksOf(refs)) {
      await this.#blocks.deleteMany({ _id: { $in: chunk.map(({ block }) => block) } });
    }
  }

  async open(
    refs: readonly BlockRef[],
    options: { readonly shared?: boolean; readonly into?: readonly Uint8Array[] } = {},
  ): Promise<Uint8Array[]> {
    const opened: Uint8Array[] = Array.from({ length: refs.length });
    for (let at = 0; at < refs.length; at += BLOCKS_IN_FLIGHT) {
      const slice = refs.slice(at, at + BLOCKS_IN_FLIGHT);
      const found = new Map<string, BlockDocument>();
      const ids = slice.map(({ block }) => block);
      for (const document of await this.#blocks.find({ _id: { $in: ids } }).toArray())
        found.set(document._id, document);
      const plains = slice.map(async (ref, index) => {
        const into = options.into?.[at + index];
        const task = this.#openTask(ref, found.get(ref.block));
        const plain = await this.#run(
          'openBlock',
          openBlock,
          {
            ...task,
            ...(into !== undefined && { into }),
            shared: options.shared === true && task.plainBytes > SHARED_BYTES_MIN,
          },
          task.plainBytes,
        );
        opened[at + index] = plain;
      });
      await Promise.all(plains);
    }
    return opened;
  }

  #openTask({ block, hash }: BlockRef, found: BlockDocument | undefined): OpenTask {
    // Its key lay with it.
    if (found === undefined)
      throw new AppError('BLOCK_KEY_MISSING', { message: `Block ${block} is not in the store.`, details: { block } });
    // A newer process wrote it: not corrupt, only not for us (a rolling deploy).
    if (found.v > BLOCK_FORMAT)
      throw new AppError('BLOCK_FORMAT_UNKNOWN', { details: { block, format: found.v, known: BLOCK_FORMAT } });
    const { kid, key, packing, plainBytes } = found;
    const wrapped = kid === undefined || key === undefined ? undefined : { kid, key };
    const dataKey = unwrapKey(this.#ring, wrapped, placeOfBlock(block), block);
    const box = this.#forThread(found.data, plainBytes);
    return { box, dataKey, place: placeOfBlock(block), packing, plainBytes, hash, block };
  }

  merge(inputs: readonly MergeInput[]): Promise<EventColumns> {
    return this.#run('mergeBlocks', mergeBlocks, inputs, sizeOf(inputs));
  }

  async renew(ref: BlockRef): ReturnType<BlockStore['renew']> {
    const found = (await this.#blocks.findOne({ _id: ref.block })) ?? undefined;
    const task = this.#openTask(ref, found);
    const plain = await this.#run('openBlock', openBlock, { ...task, shared: true }, task.plainBytes);
    const tenant = ref.block.slice(0, ref.block.indexOf('.'));
    const sealed = await this.seal(this.newId(tenant), plain, 'planes');
    const { block, hash, document } = sealed;
    if (document.v < BLOCK_FORMAT) return undefined;
    await this.write([{ ...sealed, document: { ...document, from: ref.block } }]);
    return { block, hash, bytesBefore: task.box.length, bytesAfter: document.data.length };
  }

  async openThere(ids: readonly string[]): ReturnType<BlockStore['openThere']> {
    const found = await this.#blocks.find({ _id: { $in: [...ids] }, key: { $exists: true } }).toArray();
    return Promise.all(
      found.map(async (document) => {
        const ref = { block: document._id, hash: hash('sha256', document.data, 'hex') };
        const task = this.#openTask(ref, document);
        return { ...ref, plain: await this.#run('openBlock', openBlock, task, task.plainBytes) };
      }),
    );
  }

  async hashOf(block: string): Promise<string> {
    const found = await this.#blocks.findOne({ _id: block });
    if (found === null) throw new AppError('BLOCK_KEY_MISSING', { details: { block } });
    return hash('sha256', found.data, 'hex');
  }

  #isPooled(bytes: number): boolean {
    return this.#pool !== undefined && bytes > INLINE_BYTES_MAX;
  }

  /** A view is cloned with all of the buffer behind it (a whole answer of the server): give a thread the bytes alone. */
  #forThread(bytes: Uint8Array, taskBytes: number): Uint8Array {
    if (!this.#isPooled(taskBytes) || bytes.buffer instanceof SharedArrayBuffer) return bytes;
    const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
    shared.set(bytes);
    return shared;
  }

  async #run<P, R>(name: string, inline: (payload: P) => R, payload: P, bytes: number): Promise<R> {
    if (this.#pool === undefined || !this.#isPooled(bytes)) return inline(payload);
    const task: Task = { module: TASKS, name, payload };
    const [result] = await this.#pool.runPhase<R>([task]);
    return result as R;
  }
}

const sizeOf = (inputs: readonly MergeInput[]): number => inputs.reduce((sum, { plain }) => sum + plain.length, 0);

export function mongoBlocks(db: Db, ring: MasterRing, pool: ComputePool | undefined): BlockStore {
  return new MongoBlocks(db, ring, pool);
}
