/**
 * Owns an independent reader of everything that lies in a store and in Redis, opened: it knows the keys, the place of each box and how blocks are packed,
 * and shares nothing with what writes, erases or looks for anything.
 */
import { createDecipheriv } from 'node:crypto';
import { inflateRawSync, zstdDecompressSync } from 'node:zlib';
import type { Redis } from 'ioredis';
import { BSON, type Db } from 'mongodb';
import { unpackPlanes } from '../shared/store/blocks/planes.ts';
import { TEST_KEYS } from './services.ts';

export interface Decoded {
  /** Where it lies. */
  readonly place: string;
  readonly bytes: Buffer;
}

interface Wrapped {
  readonly kid?: string;
  readonly key?: Uint8Array;
}

function open(key: Uint8Array, box: Uint8Array, place: string): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key, box.subarray(0, 12), { authTagLength: 16 })
    .setAAD(Buffer.from(place))
    .setAuthTag(box.subarray(12, 28));
  return Buffer.concat([decipher.update(box.subarray(28)), decipher.final()]);
}

const dataKeyOf = ({ key }: Wrapped, place: string): Buffer => open(TEST_KEYS.masterKey, key!, `key\0${place}`);

function unpack(body: Buffer, { packing, plainBytes }: { packing: string; plainBytes: number }): Uint8Array {
  if (packing === 'planes') return unpackPlanes(body, plainBytes);
  return packing === 'zstd' ? zstdDecompressSync(body) : body;
}

const bufferOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Every document as its bytes, and every box in them that a key of the deployment opens. */
export async function* decodedStore(db: Db): AsyncGenerator<Decoded> {
  for (const { name } of await db.listCollections().toArray())
    for await (const document of db.collection(name).find({}, { promoteBuffers: true })) {
      const place = `${name}/${String(document._id)}`;
      yield { place, bytes: bufferOf(BSON.serialize(document)) };
      const opened = openedOf(name, document);
      if (opened !== undefined) yield { place: `${place} (opened)`, bytes: bufferOf(opened) };
    }
}

function openedOf(name: string, document: BSON.Document): Uint8Array | undefined {
  const id = String(document['_id']);
  if (name === 'blocks' && document['key'] !== undefined) {
    const place = `blocks\0data\0${id}`;
    return unpack(open(dataKeyOf(document, place), document['data'], place), document as never);
  }
  if (name === 'people') return open(dataKeyOf(document, `people\0box\0${id}`), document['box'], `people\0box\0${id}`);
  if (name === 'consent_log' && document['body'] !== undefined) {
    const { run, part, box, ...wrapped } = document['body'];
    const place = `consent_log\0box\0${id.slice(0, id.indexOf('.'))}.${run}.${part}`;
    return open(dataKeyOf(wrapped, place), box, place);
  }
  if (name === 'quarantine' && document['key'] !== undefined)
    return open(dataKeyOf(document, `quarantine\0body\0${id}`), document['box'], `quarantine\0body\0${id}`);
  return undefined;
}

/** Every key under a prefix with its value, and the input of every job, opened. */
export async function* decodedRedis(redis: Redis, prefix: string): AsyncGenerator<Decoded> {
  let cursor = '0';
  do {
    const [next, keys] = await redis.scan(cursor, 'MATCH', `*${prefix}*`, 'COUNT', 1000);
    cursor = next;
    for (const key of keys) {
      const value = await valueOf(redis, key);
      yield { place: key, bytes: Buffer.from(`${key}\n${JSON.stringify(value)}`) };
      const sealed = sealedIn(value);
      if (sealed !== undefined) yield { place: `${key} (opened)`, bytes: sealed };
    }
  } while (cursor !== '0');
}

async function valueOf(redis: Redis, key: string): Promise<unknown> {
  const type = await redis.type(key);
  if (type === 'hash') return redis.hgetall(key);
  if (type === 'list') return redis.lrange(key, 0, -1);
  if (type === 'set') return redis.smembers(key);
  if (type === 'zset') return redis.zrange(key, '0', '-1');
  if (type === 'stream') return redis.xrange(key, '-', '+');
  return type === 'string' ? redis.get(key) : null;
}

function sealedIn(value: unknown): Buffer | undefined {
  const { data } = (value ?? {}) as { data?: unknown };
  if (typeof data !== 'string' || !data.startsWith('{')) return undefined;
  const { sealed, runKey } = JSON.parse(data) as { sealed?: { box: string }; runKey: string };
  if (sealed === undefined) return undefined;
  return inflateRawSync(open(Buffer.from(TEST_KEYS.sealKeys, 'hex'), Buffer.from(sealed.box, 'base64'), runKey));
}
