import { randomBytes } from 'node:crypto';
import { mkdir, mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readConfig } from './config.ts';
import { findKeys, type FoundKeys } from './key-source.ts';

const [current, old] = [randomBytes(32), randomBytes(32)];
const hex = (key: Buffer): string => key.toString('hex');
const folder = () => mkdtempDisposable(join(tmpdir(), 'millrace-keys-'));
const hexes = (found: FoundKeys | string): readonly string[] => {
  if (typeof found === 'string') throw new Error(found);
  return found.keys.map(hex);
};
/** A program that prints, or fails, as it is told; what it is told must not come back. */
const command = (script: string): string => JSON.stringify([process.execPath, '-e', script]);

describe('a key', () => {
  it('comes from a variable, a file, a command or the state folder, and says which', async () => {
    await using state = await folder();
    const file = join(state.path, 'elsewhere');
    await writeFile(file, `${hex(current)}\n${hex(old)}\n`);
    await mkdir(join(state.path, 'keys'));
    await writeFile(join(state.path, 'keys', 'master.key'), hex(old));
    const printed = `${current.toString('base64')}\\n${hex(old)}`;
    const given = [
      { MILLRACE_MASTER_KEY: `${hex(current)},${hex(old)}` },
      { MILLRACE_MASTER_KEY_FILE: file },
      { MILLRACE_MASTER_KEY_COMMAND: command(`console.log('${printed}')`) },
    ];
    const found = given.map((environment) => findKeys('master', environment, state.path));
    expect(found.map(hexes)).toEqual(given.map(() => [hex(current), hex(old)]));
    const own = findKeys('master', {}, state.path);
    expect(hexes(own)).toEqual([hex(old)]);
    expect([...found, own].map((one) => (one as FoundKeys).provider)).toEqual([
      'environment',
      'file',
      'command',
      'state folder',
    ]);
  });

  it('that a command prints is asked for without a shell, with the environment', async () => {
    const environment = {
      MILLRACE_SEAL_KEY_COMMAND: command('console.log(process.env.SEALED, process.argv.slice(1).join())').replace(
        ']',
        ',"$HOME"]',
      ),
      SEALED: hex(current),
    };
    // The second word is the name of a variable, not its value: it is no key.
    expect(findKeys('seal', environment, '/none')).toMatch(/^MILLRACE_SEAL_KEY_COMMAND must be 64 hex digits/);
    const words = { MILLRACE_SEAL_KEY_COMMAND: `printenv SEALED`, SEALED: hex(current), PATH: process.env.PATH };
    expect(hexes(findKeys('seal', words, '/none'))).toEqual([hex(current)]);
  });

  it.each([
    ['two providers', { MILLRACE_MASTER_KEY: hex(current), MILLRACE_MASTER_KEY_FILE: '/secret/file' }, /both set/],
    ['nothing at all', {}, /MILLRACE_MASTER_KEY is missing: the first `npm start`/],
    ['a file that is not there', { MILLRACE_MASTER_KEY_FILE: '/secret/file' }, /_FILE names a file .* \(ENOENT\)/],
    ['no hex digits', { MILLRACE_MASTER_KEY: 'secret' }, /^MILLRACE_MASTER_KEY must be 64 hex digits/],
    ['a short key', { MILLRACE_MASTER_KEY: hex(current).slice(2) }, /must be 64 hex digits/],
    ['one key twice', { MILLRACE_MASTER_KEY: `${hex(old)},${hex(old)}` }, /must be 64 hex digits/],
    ['a shell line', { MILLRACE_MASTER_KEY_COMMAND: 'echo secret | cat' }, /no shell reads it/],
    ['a list that is none', { MILLRACE_MASTER_KEY_COMMAND: '["secret", 1]' }, /no shell reads it/],
    ['no such program', { MILLRACE_MASTER_KEY_COMMAND: '/secret/program' }, /did not start \(ENOENT\): run it by hand/],
    [
      'a failure',
      { MILLRACE_MASTER_KEY_COMMAND: command('console.error("secret");process.exit(7)') },
      /code 7: run it/,
    ],
    [
      'a signal',
      { MILLRACE_MASTER_KEY_COMMAND: command('process.kill(process.pid, "SIGTERM")') },
      /ended with SIGTERM/,
    ],
    ['no key', { MILLRACE_MASTER_KEY_COMMAND: command('console.log("secret")') }, /_COMMAND must be 64 hex digits/],
    [
      'too much',
      { MILLRACE_MASTER_KEY_COMMAND: command('console.log("secret".repeat(1e5))') },
      /more than 65536 bytes/,
    ],
    [
      'silence',
      { MILLRACE_MASTER_KEY_COMMAND: command('setInterval(() => {}, 1e6)'), MILLRACE_KEY_COMMAND_MS: '300' },
      /did not end within 300 ms/,
    ],
    ['a limit that is none', { MILLRACE_MASTER_KEY_COMMAND: 'true', MILLRACE_KEY_COMMAND_MS: 'soon' }, /_MS must be/],
  ])('is refused where there is %s, saying what to do and nothing that was given', (_what, environment, problem) => {
    const found = findKeys('master', environment, '/none');
    expect(found).toMatch(problem);
    expect(found).not.toMatch(/secret/);
    expect(found).not.toContain(hex(current).slice(0, 16));
  });

  it('of pseudonyms is one', () => {
    expect(findKeys('tenant', { MILLRACE_TENANT_KEY: `${hex(current)},${hex(old)}` }, '/none')).toMatch(
      /must be one key/,
    );
  });
});

describe('the configuration', () => {
  it('holds all keys, and lists what is wrong with each beside every other problem', () => {
    const environment = {
      REDIS_URL: 'redis://127.0.0.1:1',
      MONGODB_URL: 'mongodb://127.0.0.1:1',
      MILLRACE_STATE: '/none',
      MILLRACE_MASTER_KEY: `${hex(current)},${hex(old)}`,
      MILLRACE_TENANT_KEY: hex(old),
      MILLRACE_SEAL_KEY: `${hex(old)} ${hex(current)}`,
    };
    const config = readConfig(environment);
    expect(config.masterKeys.map(hex)).toEqual([hex(current), hex(old)]);
    expect(config.sealKeys).toBe(`${hex(old)},${hex(current)}`);
    expect(config.keyProviders).toEqual({ master: 'environment', tenant: 'environment', seal: 'environment' });
    const bad = { ...environment, MILLRACE_LOG: 'loud', MILLRACE_TENANT_KEY: 'x', MILLRACE_SEAL_KEY: '' };
    expect(() => readConfig(bad)).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        details: {
          problems: [
            expect.stringMatching(/^MILLRACE_LOG /),
            expect.stringMatching(/^MILLRACE_TENANT_KEY /),
            expect.stringMatching(/^MILLRACE_SEAL_KEY is missing/),
          ],
        },
      }),
    );
  });
});
