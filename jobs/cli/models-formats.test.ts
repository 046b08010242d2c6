/** Files of embeddings, byte by byte as their formats' own documents and reference implementations have them. */
import { describe, expect, test } from 'vitest';
import { vectorDocuments } from '../../shared/store/mongo/vectors.ts';
import { npy } from './commands/export.ts';

describe('npy', () => {
  // As numpy.save writes zeros((3, 4), '<f4') and arange(7, dtype='<f4'): version 1.0, the header filled up to a multiple of 64 bytes.
  test.each([
    [[3, 4], "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }"],
    [[7], "{'descr': '<f4', 'fortran_order': False, 'shape': (7,), }"],
  ])('of shape %j has the header of NumPy', (shape, dictionary) => {
    const data = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, n) => n / 2);
    const bytes = npy(data, shape);
    const header = Buffer.concat([
      Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 0x01, 0x00, 0x76, 0x00]),
      Buffer.from(`${dictionary.padEnd(117)}\n`, 'latin1'),
    ]);
    expect(header).toHaveLength(128);
    expect(bytes.subarray(0, 128)).toEqual(header);
    expect(bytes.subarray(128)).toEqual(Buffer.from(data.buffer));
  });
});

describe('bson', () => {
  test('has the vectors of the specification: subtype 9, float32, no padding', () => {
    const keys = Uint8Array.from({ length: 32 }, (_, n) => n);
    const documents = [...vectorDocuments(keys, { rows: 2, width: 2, data: Float32Array.of(127, 7, -1, 0.5) })];
    expect(documents).toHaveLength(2);
    const hex = Buffer.from(documents[0]!).toString('hex');
    // The specification's own sample "Simple Vector FLOAT32" of [127, 7], after the field's name.
    expect(hex).toContain(`05${Buffer.from('vector\0').toString('hex')}0a0000000927000000fe420000e040`);
    expect(hex).toContain(Buffer.from('000102030405060708090a0b0c0d0e0f').toString('hex'));
    expect(documents[0]!.length).toBe(Buffer.from(documents[0]!).readInt32LE(0));
    expect(Buffer.from(documents[1]!).toString('hex')).toContain('2700000080bf0000003f');
  });
});
