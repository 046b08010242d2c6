/** Owns `npm run formats`: records a store in the format of today, as a backup, if that format has no record yet. A record is held for ever. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT_DIR } from '../../shared/config.ts';
import { backUp } from '../../shared/store/mongo/backup.ts';
import { TEST_MASTER_KEY, TEST_TENANT_KEY, testStore } from '../../shared/store/testing.ts';
import { contentOf, fill } from './sample.ts';

await using test = await testStore();
const { newest } = await test.store.formats.status('main');
const folder = join(PROJECT_DIR, 'test', 'fixtures', 'formats', String(newest));
if (existsSync(folder)) {
  console.log(`Format ${newest} has its record.`);
} else {
  await test.store.formats.enable();
  const made = await fill(test.store);
  await backUp(folder, {
    url: process.env.MONGODB_URL!,
    database: test.db.databaseName,
    masterKey: TEST_MASTER_KEY,
    tenantKey: TEST_TENANT_KEY,
  });
  const content = { made, content: await contentOf(test.store, made) };
  writeFileSync(join(folder, 'content.json'), `${JSON.stringify(content, null, 2)}\n`);
  console.log(`Recorded format ${newest} in ${folder}.`);
}
