import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { testStore } from '../testing.ts';
import { COLLECTIONS } from './names.ts';

describe('API keys', () => {
  it('are found by their secret, which the store never holds', async () => {
    await using test = await testStore();
    const { apiKeys } = test.store;
    const { key, secret } = await apiKeys.create('main', 'web shop', ['events:write']);
    expect(await apiKeys.find(secret)).toEqual(key);
    const held = JSON.stringify(await test.db.collection(COLLECTIONS.apiKeys).find().toArray());
    expect(held).not.toContain(secret.slice(20));
  });

  it('are not found by anything else', async () => {
    await using test = await testStore();
    const { apiKeys } = test.store;
    const { secret } = await apiKeys.create('main', 'a', ['jobs:read']);
    const { secret: second } = await apiKeys.create('main', 'b', ['jobs:read']);
    const mixed = `${secret.slice(0, 20)}${second.slice(20)}`;
    const flipped = `${secret.slice(0, -2)}${secret.endsWith('AA') ? 'BB' : 'AA'}`;
    for (const wrong of [
      '',
      'mr_',
      mixed,
      flipped,
      `${secret}A`,
      secret.toUpperCase(),
      { $ne: '' } as unknown as string,
    ])
      expect(await apiKeys.find(wrong)).toBeUndefined();
  });

  it('are listed by tenant, and gone once revoked, by their own tenant', async () => {
    let now = 1;
    await using test = await testStore({ clock: () => now++ });
    const { apiKeys } = test.store;
    const made = [
      await apiKeys.create('main', 'a', []),
      await apiKeys.create('main', 'b', []),
      await apiKeys.create('other', 'c', []),
    ];
    expect((await apiKeys.list('main')).map(({ name }) => name)).toEqual(['a', 'b']);
    expect(await apiKeys.revoke('other', made[0]!.key.id)).toBe(false);
    expect([await apiKeys.revoke('main', made[0]!.key.id), await apiKeys.revoke('main', made[0]!.key.id)]).toEqual([
      true,
      false,
    ]);
    expect(await apiKeys.find(made[0]!.secret)).toBeUndefined();
    expect((await apiKeys.list('main'))[0]!.revokedAt).toBeGreaterThan(0);
  });
});

describe('accounts', () => {
  it('are written, replaced, read and counted', async () => {
    await using test = await testStore();
    const { accounts } = test.store;
    const account = { user: 'admin', passwordHash: '$argon2id$x', role: 'admin', initial: true } as const;
    await accounts.write(account);
    await accounts.write({ ...account, initial: false });
    expect([await accounts.read('admin'), await accounts.read('nobody'), await accounts.count()]).toEqual([
      { ...account, initial: false },
      undefined,
      1,
    ]);
  });
});

describe('payload claims', () => {
  it('come back byte by byte, also when larger than a document may be', async () => {
    await using test = await testStore();
    for (const size of [0, 1000, 17_000_000]) {
      const bytes = randomBytes(size);
      const claim = await test.store.claims.put('main', bytes);
      expect(claim.bytes).toBe(size);
      expect(bytes.equals(await test.store.claims.get('main', claim.id, claim.sha256))).toBe(true);
    }
  });

  it('are not found under another tenant, another hash, or when a part is changed or missing', async () => {
    await using test = await testStore();
    const { claims } = test.store;
    const { id, sha256 } = await claims.put('main', Buffer.from('payload'));
    const absent = expect.objectContaining({ code: 'CLAIM_NOT_FOUND' });
    await expect(claims.get('other', id, sha256)).rejects.toEqual(absent);
    await expect(claims.get('main', id, '0'.repeat(64))).rejects.toEqual(absent);
    await expect(claims.bind('main', 'none', 'run')).rejects.toEqual(absent);
    await claims.bind('main', id, 'run');
    await claims.bind('main', id, 'run');
    expect(await test.db.collection(COLLECTIONS.claims).findOne({})).toMatchObject({ runs: ['run'] });
    await test.db.collection(COLLECTIONS.claimParts).updateOne({}, { $set: { data: Buffer.from('PAYLOAD') } });
    await expect(claims.get('main', id, sha256)).rejects.toEqual(absent);
    await test.db.collection(COLLECTIONS.claimParts).deleteMany({});
    await expect(claims.get('main', id, sha256)).rejects.toEqual(absent);
  });
});
