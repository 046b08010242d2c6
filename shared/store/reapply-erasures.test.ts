/** Restoring a backup that is older than an erasure, and the refusal of reports that nobody signed. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { backUp } from './mongo/backup.ts';
import { restore } from './mongo/restore.ts';
import { readFiledErasures, reapplyErasures } from './reapply-erasures.ts';
import { eventRow, TEST_MASTER_KEY, TEST_TENANT_KEY, type TestStore, testStore } from './testing.ts';

const TENANT = 'main';
const keys = { masterKey: TEST_MASTER_KEY, tenantKey: TEST_TENANT_KEY };
const optionsOf = (of: TestStore) => ({ url: process.env.MONGODB_URL!, database: of.db.databaseName, ...keys });

async function filled({ store }: TestStore): Promise<void> {
  const users = ['asha', 'ben', 'cleo'];
  await store.consents.record(
    TENANT,
    'run-c',
    users.map((user) => ({ user, purposes: ['audit'], source: 'web', state: 'given', at: 5, basis: 'consent' })),
  );
  const rows = users.map((user) => eventRow(store, TENANT, { id: `e-${user}`, user, item: 'v1' }));
  await store.events.follow(TENANT, await store.events.prepare(TENANT, 'run-e', 1, rows));
}

test('whoever was erased after a backup is erased again when it is restored, and nobody else', async () => {
  await using before = await testStore();
  await using after = await testStore();
  await filled(before);
  const folder = await mkdtemp(join(tmpdir(), 'millrace-erasures-'));
  try {
    await backUp(folder, optionsOf(before));
    const [asha, ben] = before.store.people.keys(TENANT, ['asha', 'ben']);
    const signed = await before.store.erasures.keep({
      id: 'r1',
      tenant: TENANT,
      person: before.store.erasures.mark(TENANT, asha!),
      requestedAt: 1,
      finishedAt: 2,
      consentEpoch: 3,
      artefacts: [],
      versions: [],
    });
    const file = JSON.stringify({ erasures: [signed] });
    await after.db.dropDatabase();
    await restore(folder, optionsOf(after));
    const restored = await after.another();
    expect((await restored.consents.snapshot(TENANT)).isErased(asha!)).toBe(false);
    const filed = readFiledErasures(file);
    expect(await reapplyErasures(restored, filed)).toEqual({ reports: 1, erased: 1 });
    expect(await reapplyErasures(restored, filed)).toEqual({ reports: 1, erased: 0 });
    const snapshot = await restored.consents.snapshot(TENANT);
    expect([snapshot.isErased(asha!), snapshot.isErased(ben!)]).toEqual([true, false]);
    expect(await restored.events.count(TENANT)).toBe(2);
    expect((await restored.people.open(TENANT, [asha!, ben!])).size).toBe(1);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test('a report that was changed, and a file that holds none, are refused', async () => {
  await using of = await testStore();
  const report = { id: 'r1', tenant: TENANT, person: '0'.repeat(32), requestedAt: 1, finishedAt: 2, consentEpoch: 3 };
  const signed = await of.store.erasures.keep({ ...report, artefacts: [], versions: [] });
  const forged = { ...signed, report: { ...signed.report, person: '1'.repeat(32) } };
  for (const text of [JSON.stringify({ erasures: [forged] }), '{"erasures": [{}]}', 'nothing'])
    expect(() => readFiledErasures(text)).toThrow(expect.objectContaining({ code: 'FILE_MALFORMED' }));
  const filed = readFiledErasures(JSON.stringify({ erasures: [signed] }));
  await using other = await testStore({ tenantKey: Buffer.alloc(32, 9) });
  await expect(reapplyErasures(other.store, filed)).rejects.toMatchObject({ code: 'FILE_MALFORMED' });
});
