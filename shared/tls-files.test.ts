import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { authority } from '../test/certificates.ts';
import { readConfig } from './config.ts';

const ca = authority('ours');
const [own, other] = [ca.issue(), ca.issue()];
const KEY = '1'.repeat(64);
const base = {
  REDIS_URL: 'rediss://127.0.0.1:1',
  MONGODB_URL: 'mongodb://127.0.0.1:1/?tls=true',
  MILLRACE_STATE: '/none',
  MILLRACE_MASTER_KEY: KEY,
  MILLRACE_TENANT_KEY: KEY,
  MILLRACE_SEAL_KEY: KEY,
};

async function files(path: string): Promise<Record<string, string>> {
  const written = { ca: ca.cert, cert: own.cert, key: own.key, other: other.key, text: 'secret' };
  for (const [name, text] of Object.entries(written)) await writeFile(join(path, name), text);
  return Object.fromEntries(Object.keys(written).map((name) => [name, join(path, name)]));
}

describe('certificates of the configuration', () => {
  it('are read where they are named; those of servers stay files, to be read anew', async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), 'millrace-tls-'));
    const at = await files(folder.path);
    const config = readConfig({
      ...base,
      MILLRACE_REDIS_CA_FILE: at.ca,
      MILLRACE_MONGODB_CA_FILE: at.ca,
      MILLRACE_MONGODB_CERT_FILE: at.cert,
      MILLRACE_MONGODB_KEY_FILE: at.key,
      MILLRACE_TLS_CERT_FILE: at.cert,
      MILLRACE_TLS_KEY_FILE: at.key,
    });
    expect(config.redisTls).toEqual({ ca: ca.cert });
    expect(config.mongodbTls).toEqual({ ca: ca.cert, cert: own.cert, key: own.key });
    expect(config.outbox.tls).toBe(config.mongodbTls);
    expect(config.https).toEqual({ cert: at.cert, key: at.key });
    expect(readConfig({ ...base, MILLRACE_OUTBOX_URL: 'mongodb://h/' }).outbox).toEqual({
      url: 'mongodb://h/',
      collections: [],
    });
    expect(readConfig(base).redisTls).toBeUndefined();
  });

  it.each([
    ['without its key', { MILLRACE_REDIS_CERT_FILE: 'cert' }, /MILLRACE_REDIS_KEY_FILE must be set both or neither/],
    [
      'with the key of another',
      { MILLRACE_TLS_CERT_FILE: 'cert', MILLRACE_TLS_KEY_FILE: 'other' },
      /do not hold a certificate and its key/,
    ],
    ['of which half is named', { MILLRACE_TLS_CERT_FILE: 'cert' }, /MILLRACE_TLS_KEY_FILE must be set both or neither/],
    [
      'that is no PEM',
      { MILLRACE_MONGODB_CA_FILE: 'text' },
      /MILLRACE_MONGODB_CA_FILE must name a file in the PEM format/,
    ],
    ['that is a key', { MILLRACE_MONGODB_CA_FILE: 'key' }, /MILLRACE_MONGODB_CA_FILE holds no certificate/],
    [
      'that is not there',
      { MILLRACE_REDIS_CA_FILE: 'gone' },
      /MILLRACE_REDIS_CA_FILE names a file that cannot be read \(ENOENT\)/,
    ],
    [
      'for an address without TLS',
      { MILLRACE_REDIS_CA_FILE: 'ca', REDIS_URL: 'redis://h' },
      /REDIS_URL must be an address with rediss:/,
    ],
  ])('are refused %s', async (_what, set, problem) => {
    await using folder = await mkdtempDisposable(join(tmpdir(), 'millrace-tls-'));
    const at = await files(folder.path);
    const named = Object.entries(set).map(([name, value]) => [
      name,
      name.startsWith('MILLRACE') ? (at[value] ?? '/gone') : value,
    ]);
    const error = (() => {
      try {
        return readConfig({ ...base, ...(Object.fromEntries(named) as Record<string, string>) });
      } catch (thrown) {
        return thrown;
      }
    })();
    expect(error).toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringMatching(problem) });
    expect(JSON.stringify(error)).not.toContain('secret');
  });
});
