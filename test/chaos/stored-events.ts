/**
 * Owns reading event ids straight out of the store, for the checker: manifests, blocks, their encryption and their layout are read
 * here a second time, from docs/data-formats.md, without any of the code that wrote them.
 */
import { createDecipheriv } from 'node:crypto';
import { zstdDecompressSync } from 'node:zlib';
import type { Db } from 'mongodb';

interface Named {
  readonly block: string;
  readonly rows: number;
  readonly masked?: Uint8Array | null;
}
interface Entry {
  readonly _id: string;
  readonly seq: number;
  readonly append?: Named | null;
  readonly base?: readonly Named[] | null;
}
interface Block {
  readonly _id: string;
  readonly key: Uint8Array;
  readonly packing: string;
  readonly data: Uint8Array;
}

const EVENT_ID_BYTES = 16;

/** nonce (12) | tag (16) | ciphertext, AES-256-GCM, bound to its place. */
function opened(key: Uint8Array, box: Uint8Array, place: string): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key, box.subarray(0, 12));
  decipher.setAAD(Buffer.from(place)).setAuthTag(box.subarray(12, 28));
  return Buffer.concat([decipher.update(box.subarray(28)), decipher.final()]);
}

/** Event ids of a block, hex, by row. */
function idsOf({ _id, key, packing, data }: Block, masterKey: Uint8Array): string[] {
  const place = `blocks\0data\0${_id}`;
  const body = opened(opened(masterKey, key, `key\0${place}`), data, place);
  const plain = packing === 'zstd' ? zstdDecompressSync(body) : body;
  const headerBytes = plain.readUInt32LE(4);
  const header = JSON.parse(plain.toString('utf8', 8, 8 + headerBytes)) as {
    readonly n: number;
    readonly c: readonly (readonly [string, string, number, number])[];
  };
  const column = header.c.find(([name]) => name === 'eventId');
  if (column === undefined) throw new Error(`block ${_id} has no event ids`);
  const from = Math.ceil((8 + headerBytes) / 8) * 8 + column[2];
  return Array.from({ length: header.n }, (_, row) =>
    plain.toString('hex', from + row * EVENT_ID_BYTES, from + (row + 1) * EVENT_ID_BYTES),
  );
}

function maskedRows(masked: Uint8Array | null | undefined): Set<number> {
  const bytes = Buffer.from(masked ?? []);
  return new Set(Array.from({ length: bytes.length / 4 }, (_, at) => bytes.readUInt32LE(at * 4)));
}

/** Blocks that are live: of every partition its newest base and what was appended after it. */
async function liveBlocks(db: Db): Promise<Named[]> {
  const entries = await db.collection<Entry>('event_manifests').find().toArray();
  const partitions = Map.groupBy(entries, ({ _id }) => _id.slice(0, _id.lastIndexOf('.')));
  return [...partitions.values()].flatMap((log) => {
    log.sort((a, b) => a.seq - b.seq);
    if (log.some(({ seq }, at) => at > 0 && seq !== log[at - 1]!.seq + 1)) throw new Error('a manifest has a gap');
    const start = log.findLastIndex(({ base }) => base !== undefined && base !== null);
    const based = start < 0 ? [] : log[start]!.base!;
    return based.concat(log.slice(start + 1).flatMap(({ append }) => append ?? []));
  });
}

/** How often each event id (hex) is live in the store. */
export async function storedEvents(db: Db, masterKey: Uint8Array): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  for (const { block, masked } of await liveBlocks(db)) {
    const document = await db.collection<Block>('blocks').findOne({ _id: block }, { promoteBuffers: true } as object);
    if (document === null) throw new Error(`block ${block} is named by a manifest and not in the store`);
    const hidden = maskedRows(masked);
    for (const [row, id] of idsOf(document, masterKey).entries())
      if (!hidden.has(row)) found.set(id, (found.get(id) ?? 0) + 1);
  }
  return found;
}
