import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { MongoServerError } from 'mongodb';
import { describe, expect, it } from 'vitest';
import { AppError } from '../../errors.ts';
import { testStore } from '../testing.ts';
import { connectFailure, openStore } from './open.ts';

const keys = {
  masterKey: randomBytes(32),
  tenantKey: randomBytes(32),
  database: 'never_made',
  serverSelectionTimeoutMs: 200,
};

/** Everything that a log or a page could show of an error. */
function shown(thrown: unknown): string {
  const parts: string[] = [];
  for (let error: unknown = thrown; error instanceof Error; error = error.cause)
    parts.push(error.message, error.stack ?? '', JSON.stringify(error));
  return parts.join('\n');
}
const failureOf = async (work: Promise<unknown>): Promise<AppError> => {
  const thrown: unknown = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(thrown instanceof AppError)) throw new Error('an AppError was expected', { cause: thrown });
  return thrown;
};

/** A port on which nothing listens. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  const address = server.address();
  await new Promise((ready) => server.close(ready));
  return typeof address === 'object' && address !== null ? address.port : 1;
}

describe('opening the store', () => {
  it('gives SERVICE_UNAVAILABLE without the password when nobody listens', async () => {
    const url = `mongodb://worker:hunter2@127.0.0.1:${await closedPort()}/`;
    const error = await failureOf(openStore({ url, ...keys }));
    expect([error.code, error.retry]).toEqual(['SERVICE_UNAVAILABLE', 'backoff']);
    expect(error.message).toContain('127.0.0.1');
    expect(shown(error)).not.toContain('hunter2');
  });

  it('gives CONFIG_INVALID without the password for an address that is none', async () => {
    for (const url of [
      'mongodb://worker:hunter2@',
      'mongodb://worker:hunter2@host:99999999/',
      'http://worker:hunter2@host/',
    ]) {
      const error = await failureOf(openStore({ url, ...keys }));
      expect(error.code).toBe('CONFIG_INVALID');
      expect(shown(error)).not.toContain('hunter2');
    }
  });

  it('says that user or password are wrong when the server refuses them', () => {
    const refused = new MongoServerError({ message: 'Authentication failed for hunter2.', code: 18 });
    const error = connectFailure(refused, 'host:1');
    expect([error.code, error.message]).toEqual(['CONFIG_INVALID', expect.stringContaining('password')]);
    expect(shown(error)).not.toContain('hunter2');
  });

  it('refuses a master key of the wrong length', async () => {
    await using test = await testStore();
    await expect(test.another({ masterKey: Buffer.alloc(5) })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });

  it('names the server, and may be opened twice over the same database', async () => {
    await using test = await testStore();
    const again = await test.another();
    expect((await again.ping()).server).toMatch(/^(FerretDB|MongoDB) v?\d/);
  });

  it('turns every port coded once it is closed', async () => {
    await using test = await testStore();
    const closed = await test.another();
    await closed[Symbol.asyncDispose]();
    const works = [
      () => closed.ping(),
      () => closed.people.count('main'),
      () => closed.ledger.read('main.x'),
      () => closed.events.count('main'),
      async () => {
        for await (const item of closed.items.all('main')) expect(item).toBeUndefined();
      },
    ];
    for (const work of works) expect((await failureOf(work())).code).toBe('SERVICE_UNAVAILABLE');
  });
});
