import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  BOX_OVERHEAD_BYTES,
  decrypt,
  deriveKey,
  encrypt,
  keyIdOf,
  masterRing,
  newDataKey,
  placeOf,
  unwrapKey,
  wrapKey,
} from './crypto.ts';

const code = (expected: string) => expect.objectContaining({ code: expected });

describe('boxes', () => {
  it('open with the same key at the same place, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), fc.string(), (plain, place) => {
        const key = newDataKey();
        const box = encrypt(key, plain, place);
        expect(box.length).toBe(plain.length + BOX_OVERHEAD_BYTES);
        expect(new Uint8Array(decrypt(key, box, place, 'b'))).toEqual(plain);
      }),
    );
  });

  it('do not open when any byte was changed', () => {
    const key = newDataKey();
    const box = encrypt(key, Buffer.from('eleven views'), 'place');
    fc.assert(
      fc.property(fc.nat(box.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const changed = Buffer.from(box);
        changed[at]! ^= flip;
        expect(() => decrypt(key, changed, 'place', 'b')).toThrow(code('BLOCK_CORRUPT'));
      }),
    );
  });

  it('do not open at another place, nor when cut short, nor when empty', () => {
    const key = newDataKey();
    const box = encrypt(key, Buffer.from('x'), placeOf('people', 'box', 'main.a'));
    for (const place of [
      placeOf('people', 'box', 'main.b'),
      placeOf('texts', 'box', 'main.a'),
      placeOf('people', 'x', 'main.a'),
    ])
      expect(() => decrypt(key, box, place, 'b')).toThrow(code('BLOCK_CORRUPT'));
    for (const length of [0, 5, 27, box.length - 1])
      expect(() => decrypt(key, box.subarray(0, length), placeOf('people', 'box', 'main.a'), 'b')).toThrow(
        code('BLOCK_CORRUPT'),
      );
  });

  it('never repeat: equal plain bytes give different boxes', () => {
    const key = newDataKey();
    const boxes = new Set(Array.from({ length: 50 }, () => encrypt(key, Buffer.from('same'), 'p').toString('hex')));
    expect(boxes.size).toBe(50);
  });
});

describe('data keys', () => {
  const [old, current] = [randomBytes(32), randomBytes(32)];

  it('are unwrapped by the master key that wrapped them, also after a newer one came', () => {
    const dataKey = newDataKey();
    const wrapped = wrapKey(masterRing([old]), dataKey, 'p');
    expect(wrapped.kid).toBe(keyIdOf(old));
    expect(unwrapKey(masterRing([current, old]), wrapped, 'p', 'b').equals(dataKey)).toBe(true);
    expect(wrapKey(masterRing([current, old]), dataKey, 'p').kid).toBe(keyIdOf(current));
  });

  it('are missing under another master key, at another place, and when shredded', () => {
    const wrapped = wrapKey(masterRing([old]), newDataKey(), 'p');
    expect(() => unwrapKey(masterRing([current]), wrapped, 'p', 'b')).toThrow(code('MASTER_KEY_MISSING'));
    expect(() => unwrapKey(masterRing([old]), wrapped, 'q', 'b')).toThrow(code('BLOCK_CORRUPT'));
    expect(() => unwrapKey(masterRing([old]), undefined, 'p', 'b')).toThrow(code('BLOCK_KEY_MISSING'));
  });

  it('refuse a master key of the wrong length without repeating it', () => {
    expect(() => masterRing([])).toThrow(code('CONFIG_INVALID'));
    expect(() => masterRing([Buffer.from('secret-secret')])).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining('secret') }),
    );
  });

  it('derived for two purposes differ and come back the same', () => {
    expect(deriveKey(old, 'subject').equals(deriveKey(old, 'session'))).toBe(false);
    expect(deriveKey(old, 'subject').equals(deriveKey(Buffer.from(old), 'subject'))).toBe(true);
  });
});
