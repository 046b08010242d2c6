/**
 * Owns the heavy work on blocks as functions for threads: open, seal, merge, compact. They take and return plain data;
 * what is large lies on SharedArrayBuffers. Without a pool the store calls the same functions inline.
 */
import { hash } from 'node:crypto';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { AppError } from '../../errors.ts';
import { decrypt, encrypt } from '../../governance/crypto.ts';
import type { EventColumns } from '../ports.ts';
import { mergeEvents, type MergeInput } from './canonical.ts';
import { encodeEvents, plainMemory, sharedMemory } from './event-block.ts';
import { packPlanes, unpackPlanes } from './planes.ts';

/** `planes` is the second format of a block (see planes.ts), the others the first. */
export const PACKINGS = ['none', 'zstd', 'planes'] as const;
export type Packing = (typeof PACKINGS)[number];

export interface SealTask {
  readonly plain: Uint8Array;
  readonly dataKey: Uint8Array;
  readonly place: string;
  /** Asked for; the answer says what was done (bytes that do not shrink stay as they are). */
  readonly packing: Packing;
}
export interface SealedBlock {
  readonly box: Uint8Array;
  /** SHA-256 of `box`, hex. */
  readonly hash: string;
  readonly packing: Packing;
  readonly plainBytes: number;
}

/** Compresses (compression before encryption; sizes of blocks are no secret), encrypts, hashes. */
export function sealBlock(task: SealTask): SealedBlock {
  let body = task.plain;
  let packing: Packing = 'none';
  const planes = task.packing === 'planes' ? packPlanes(task.plain) : undefined;
  if (planes !== undefined && planes.length < body.length) [body, packing] = [planes, 'planes'];
  else if (task.packing !== 'none') {
    const packed = zstdCompressSync(copyOf(task.plain), { params: { [constants.ZSTD_c_compressionLevel]: 1 } });
    if (packed.length < body.length) [body, packing] = [packed, 'zstd'];
  }
  const box = encrypt(task.dataKey, body, task.place);
  return { box, hash: hash('sha256', box, 'hex'), packing, plainBytes: task.plain.length };
}

/** zlib refuses shared memory. */
const copyOf = (bytes: Uint8Array): Uint8Array =>
  bytes.buffer instanceof SharedArrayBuffer ? new Uint8Array(bytes) : bytes;

export interface OpenTask {
  readonly box: Uint8Array;
  readonly dataKey: Uint8Array;
  readonly place: string;
  readonly packing: Packing;
  readonly plainBytes: number;
  /** SHA-256 that the manifest names, hex. */
  readonly hash: string;
  /** Name of the block, for the error. */
  readonly block: string;
  /** Where to put the plain bytes; absent: fresh memory. */
  readonly into?: Uint8Array;
  /** Whether fresh memory is shared. */
  readonly shared?: boolean;
}

/** The plain bytes of a block, 8-byte aligned. Throws BLOCK_CORRUPT. */
export function openBlock(task: OpenTask): Uint8Array {
  if (hash('sha256', task.box, 'hex') !== task.hash)
    throw new AppError('BLOCK_CORRUPT', {
      message: `The hash of block ${task.block} differs from the manifest.`,
      details: { block: task.block },
    });
  const body = decrypt(task.dataKey, task.box, task.place, task.block);
  const plain = unpack(body, task);
  if (plain.length !== task.plainBytes) throw new AppError('BLOCK_CORRUPT', { details: { block: task.block } });
  const target = task.into ?? new Uint8Array((task.shared ? sharedMemory : plainMemory)(task.plainBytes));
  target.set(plain);
  return target;
}

function unpack(body: Uint8Array, { packing, plainBytes }: OpenTask): Uint8Array {
  if (packing === 'planes') return unpackPlanes(body, plainBytes);
  return packing === 'zstd' ? zstdDecompressSync(body, { maxOutputLength: Math.max(1, plainBytes) }) : body;
}

/** Blocks to columns in canonical order, on shared memory. */
export function mergeBlocks(inputs: readonly MergeInput[]): EventColumns {
  return mergeEvents(inputs);
}

export interface CompactTask extends Omit<SealTask, 'plain'> {
  readonly inputs: readonly MergeInput[];
}

/** Many small blocks to one, its rows in canonical order. */
export function compactBlocks(
  task: CompactTask,
): SealedBlock & { readonly rows: number; readonly recordedAtMax: number } {
  const events = mergeEvents(task.inputs);
  const sealed = sealBlock({ ...task, plain: encodeEvents(events) });
  return { ...sealed, rows: events.rows, recordedAtMax: events.recordedAt.reduce((a, b) => Math.max(a, b), 0) };
}
