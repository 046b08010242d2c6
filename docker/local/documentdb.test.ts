import { readFileSync } from 'node:fs';
import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MongoClient } from 'mongodb';
import { describe, expect, it } from 'vitest';
import { findBuild, requireKnownExtension } from './documentdb-build.mjs';
import { startDocumentDb } from './documentdb.mjs';
import { freePort } from './ports.mjs';
import { identify } from './processes.mjs';

const build = findBuild();
const temporaryFolder = () => mkdtempDisposable(join(tmpdir(), 'millrace-documentdb-'));

it('refuses an extension that moved on, and takes a new revision of the known one', () => {
  expect(requireKnownExtension('1.0-0-7')).toBe('1.0-0-7');
  expect(() => requireKnownExtension('1.1-0-1')).toThrow(/DocumentDB 1\.1-0-1; FerretDB 2\.7\.0 was tried with 1\.0-0/);
});

describe.skipIf(build === undefined || process.getuid?.() !== 0)('FerretDB on DocumentDB', () => {
  const start = async (folder: string) => {
    if (!build) throw new Error('not built');
    const store = await startDocumentDb({ build, port: await freePort(), folder, durable: false });
    const client = await new MongoClient(store.url).connect();
    const stop = async () => {
      await client.close();
      for (const service of store.services) await service.stop();
    };
    return { notes: client.db('house').collection<{ _id: string }>('notes'), services: store.services, stop };
  };

  it('gives two folders two databases, keeps each over a restart, and leaves no process and no mount', async () => {
    await using one = await temporaryFolder();
    await using two = await temporaryFolder();
    const [first, second] = await Promise.all([start(one.path), start(two.path)]);
    await first.notes.insertOne({ _id: 'only in the first' });
    expect(await second.notes.countDocuments()).toBe(0);
    await Promise.all([first.stop(), second.stop()]);
    for (const service of [...first.services, ...second.services]) {
      expect(await identify(service.pid)).toBeUndefined();
    }
    expect(readFileSync('/proc/self/mounts', 'utf8')).not.toContain(build?.tree);

    const again = await start(one.path);
    expect(await again.notes.findOne()).toEqual({ _id: 'only in the first' });
    await again.stop();
  });
});
