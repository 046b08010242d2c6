/** Owns embeddings as BSON documents with binary vectors (BSON specification, Binary subtype 9, float32), as `mongorestore` and vector indexes read them. */
import { Binary, BSON } from 'mongodb';
import type { DenseRows } from '../../numerics/types.ts';

const KEY_BYTES = 16;

/** `{ _id: key in hex, vector }`, one a row, as they lie one after another in a `.bson` file. */
export function* vectorDocuments(keys: Uint8Array, { data, rows, width }: DenseRows): Generator<Uint8Array> {
  for (let row = 0; row < rows; row++) {
    const _id = Buffer.from(keys.subarray(row * KEY_BYTES, (row + 1) * KEY_BYTES)).toString('hex');
    yield BSON.serialize({ _id, vector: Binary.fromFloat32Array(data.slice(row * width, (row + 1) * width)) });
  }
}
