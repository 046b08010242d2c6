import { describe, expect, it } from 'vitest';
import { eventKeyOf, hexOf, itemKeyOf, personalKeys, requestKeyOf } from './keys.ts';

const keys = personalKeys(Buffer.alloc(32, 7));

describe('keys of names', () => {
  it('have fixed lengths and come back the same', () => {
    expect(keys.subject('main', 'asha')).toHaveLength(16);
    expect(keys.session('main', 's1')).toHaveLength(8);
    expect(itemKeyOf('main', 'v1')).toHaveLength(16);
    expect(hexOf(keys.subject('main', 'asha'))).toBe(hexOf(personalKeys(Buffer.alloc(32, 7)).subject('main', 'asha')));
  });

  it('differ between tenants, names, kinds and sources', () => {
    const all = [
      keys.subject('main', 'a'),
      keys.subject('other', 'a'),
      keys.subject('main', 'b'),
      itemKeyOf('main', 'a'),
      itemKeyOf('other', 'a'),
      eventKeyOf('main', 'web', 'a'),
      eventKeyOf('main', 'app', 'a'),
      requestKeyOf('main', 'a'),
    ];
    expect(new Set(all.map(hexOf)).size).toBe(all.length);
  });

  it('of people cannot be computed without the tenant key', () => {
    expect(hexOf(personalKeys(Buffer.alloc(32, 8)).subject('main', 'asha'))).not.toBe(
      hexOf(keys.subject('main', 'asha')),
    );
  });
});
