import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtempDisposable, readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { downloadMongod } from './mongodb-download.mjs';
import { givenMongo, mongoStarter } from './mongodb.mjs';
import { freePort } from './ports.mjs';
import { identify } from './processes.mjs';
import { silentStep } from './progress.mjs';
import { placeMongod } from './stand-ins.ts';

const temporaryFolder = () => mkdtempDisposable(join(tmpdir(), 'millrace-mongodb-'));

it('starts the mongod on PATH on loopback with a data folder of its own, and stops it', async () => {
  await using bin = await temporaryFolder();
  await using folder = await temporaryFolder();
  await placeMongod(bin.path);
  const start = await mongoStarter(silentStep(), { ...process.env, PATH: `${bin.path}:${process.env.PATH}` });
  const port = await freePort();
  const store = await start({ port, folder: folder.path, durable: false });
  expect(store).toMatchObject({ version: '8.0.99', engine: `system mongod, port ${port}` });
  const data = join(folder.path, 'mongod');
  const given = JSON.parse(await readFile(join(data, 'arguments.json'), 'utf8')) as string[];
  expect(given).toEqual(expect.arrayContaining(['--bind_ip', '127.0.0.1', '--dbpath', data]));
  const [service] = store.services;
  await service?.stop();
  expect(await identify(service?.pid ?? 0)).toBeUndefined();
});

it('says what a mongod wrote when it does not start', async () => {
  await using bin = await temporaryFolder();
  await using folder = await temporaryFolder();
  await placeMongod(bin.path, "console.error('DBPathInUse'); process.exit(48);");
  const start = await mongoStarter(silentStep(), { ...process.env, PATH: `${bin.path}:${process.env.PATH}` });
  await expect(start({ port: await freePort(), folder: folder.path, durable: false })).rejects.toMatchObject({
    message: expect.stringMatching(/did not start: the server ended at once[^]*DBPathInUse/),
  });
});

it('goes on with one line of reason where the download host refuses, and leaves nothing behind', async () => {
  await using cache = await temporaryFolder();
  const host = createServer((_request, response) => response.writeHead(403).end()).listen(0, '127.0.0.1');
  await once(host, 'listening');
  const mirror = `http://127.0.0.1:${(host.address() as { port: number }).port}`;
  const env = { ...process.env, XDG_CACHE_HOME: cache.path, MONGOMS_DOWNLOAD_MIRROR: mirror };
  const result = await downloadMongod(silentStep(), env);
  expect(result).toEqual({ reason: `the download from ${mirror} was refused (HTTP 403)` });
  expect(existsSync(join(cache.path, 'millrace'))).toBe(false);
  host.close();
});

it('goes on where the download host does not answer at all', async () => {
  await using cache = await temporaryFolder();
  const mirror = `http://127.0.0.1:${await freePort()}`;
  const env = { ...process.env, XDG_CACHE_HOME: cache.path, MONGOMS_DOWNLOAD_MIRROR: mirror };
  expect((await downloadMongod(silentStep(), env)).reason).toMatch(/was refused \(.*ECONNREFUSED/);
});

it('refuses a MONGODB_URL that does not answer, without showing its password', async () => {
  const url = `mongodb://anna:secret@127.0.0.1:${await freePort()}/?retryWrites=false`;
  const refusal = givenMongo({ MONGODB_URL: url });
  await expect(refusal).rejects.toThrow(
    /MONGODB_URL is set, but mongodb:\/\/\*\*\*@127\.0\.0\.1:\d+.* does not answer/,
  );
  await expect(refusal).rejects.not.toThrow(/secret/);
});

it('takes MONGODB_URL before anything else', async () => {
  await using bin = await temporaryFolder();
  await using folder = await temporaryFolder();
  await placeMongod(bin.path);
  const start = await mongoStarter(silentStep(), { ...process.env, PATH: `${bin.path}:${process.env.PATH}` });
  const store = await start({ port: await freePort(), folder: folder.path, durable: false });
  expect(await givenMongo({ MONGODB_URL: store.url })).toMatchObject({ version: '8.0.99', services: [] });
  expect(await givenMongo({})).toBeUndefined();
  for (const service of store.services) await service.stop();
});

it('names every way that was closed where no MongoDB can be had', async () => {
  await using empty = await temporaryFolder();
  const mirror = `http://127.0.0.1:${await freePort()}`;
  const env = { PATH: empty.path, XDG_CACHE_HOME: empty.path, MONGOMS_DOWNLOAD_MIRROR: mirror };
  await expect(mongoStarter(silentStep(), env)).rejects.toMatchObject({
    message: expect.stringMatching(
      /MONGODB_URL is not set, no mongod is on PATH, the download from .* was refused .*, and FerretDB with DocumentDB/,
    ),
    todo: expect.stringContaining('MONGODB_URL'),
  });
});
