import fc from 'fast-check';
import { expect, it } from 'vitest';
import { KeyTable } from './key-table.ts';

const key = fc.oneof(
  fc.uint8Array({ minLength: 16, maxLength: 16 }),
  // Keys that differ in few bits: what a weak mixing would cluster.
  fc.nat(40).map((n) => new Uint8Array(16).fill(0).with(15, n)),
);
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

it('numbers keys like a map of their hex, and finds only those put in', () => {
  fc.assert(
    fc.property(fc.array(key, { maxLength: 300 }), fc.array(key, { maxLength: 30 }), (keys, others) => {
      const [table, model] = [new KeyTable(), new Map<string, number>()];
      for (const bytes of keys) {
        const name = hex(bytes);
        if (!model.has(name)) model.set(name, model.size);
        expect(table.add(bytes)).toBe(model.get(name));
      }
      expect(table.size).toBe(model.size);
      for (const bytes of [...keys, ...others]) expect(table.find(bytes)).toBe(model.get(hex(bytes)) ?? -1);
    }),
  );
});

it('ranks keys in the order of their bytes', () => {
  fc.assert(
    fc.property(fc.uniqueArray(key, { maxLength: 100, selector: hex }), (keys) => {
      const table = new KeyTable();
      for (const bytes of keys) table.add(bytes);
      const ranks = table.ranks();
      const sorted = keys.map(hex).sort();
      expect(keys.map((bytes) => sorted.indexOf(hex(bytes)))).toEqual([...ranks]);
    }),
  );
});

it('reads keys at an offset and copies without sharing', () => {
  const many = new Uint8Array(48).map((_, at) => at);
  const table = new KeyTable();
  for (let at = 0; at < 48; at += 16) table.add(many, at);
  const twin = table.copy();
  twin.add(new Uint8Array(16).fill(200));
  expect([table.size, twin.size, twin.find(many, 32)]).toEqual([3, 4, 2]);
});
