/** What the command says of itself, and how it refuses what it does not understand. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AppError, ERROR_CODES, type ErrorCodeName } from '../../shared/errors.ts';
import { asUser, PROJECT_DIR, type User } from '../../test/end-to-end/as-a-user.ts';
import { COMMAND_PERMISSIONS, wordsOf } from './audited.ts';
import { buildProgram } from './main.ts';
import { EXIT, exitCodeOf } from './output.ts';

const docs = await readFile(join(PROJECT_DIR, 'docs/cli.md'), 'utf8');

/** Commands that do something, by their words with arguments: `key revoke <id>`. */
function commandsOf(command: Command, path: readonly string[] = []): Map<string, Command> {
  if (command.commands.length > 0)
    return new Map(command.commands.flatMap((sub) => [...commandsOf(sub, [...path, sub.name()])]));
  const words = command.registeredArguments.map((argument) => `<${argument.name()}>`);
  return new Map([[[...path, ...words].join(' '), command]]);
}
const commands = commandsOf(buildProgram());
/** The page's part on `evaluate`. */
const EVALUATE = /^### `evaluate`$[\s\S]*?(?=^### )/m;

describe('docs/cli.md', () => {
  test('has every command and no other', () => {
    const headings = [...docs.matchAll(/^### `(.+)`$/gm)].map(([, words]) => words!);
    expect(headings).toEqual([...commands.keys()]);
  });

  test('has every option of every command but evaluate, which has a page of help of its own, and no other', () => {
    const shared = new Set(['--json']);
    const own = [...commands].filter(([name]) => name !== 'evaluate').flatMap(([, command]) => command.options);
    const page = docs.replace(EVALUATE, '');
    const said = new Set([...page.matchAll(/`((?:-\w, )?--[a-z-]+(?: <[^>]+>)?)`/g)].map(([, flags]) => flags!));
    const flags = new Set(own.map((option) => option.flags));
    expect([...said].filter((name) => !shared.has(name)).sort()).toEqual([...flags].sort());
  });

  test('names of evaluate only options that it has', () => {
    const names = new Set(commands.get('evaluate')?.options.map(({ long }) => long));
    const said = [...(EVALUATE.exec(docs)?.[0] ?? '').matchAll(/`(--[a-z-]+)/g)].map(([, name]) => name!);
    expect(said.length).toBeGreaterThan(3);
    expect(said.filter((name) => name !== '--help' && !names.has(name))).toEqual([]);
  });

  test('has every exit code', () => {
    const rows = [...docs.matchAll(/^\| (\d+) +\| (\w+) +\|/gm)].map(([, code, name]) => [name!, Number(code)]);
    expect(Object.fromEntries(rows)).toEqual(EXIT);
  });
});

test('every command is in the table of what goes into the audit trail, and no other', () => {
  expect(Object.keys(COMMAND_PERMISSIONS).sort()).toEqual([...commands.values()].map(wordsOf).sort());
});

describe('exit codes', () => {
  test('are never 0 for an error, and those of the page for the codes it names', () => {
    const codes = Object.keys(ERROR_CODES) as ErrorCodeName[];
    const exits = new Map(codes.map((code) => [code, exitCodeOf(new AppError(code))]));
    const known = new Set<number>(Object.values(EXIT));
    for (const exit of exits.values()) expect(known.has(exit) && exit !== EXIT.ok).toBe(true);
    const rows = [...docs.matchAll(/^\| (\d+) +\| \w+ +\| (.+) \|$/gm)];
    const named = rows.flatMap(([, code, what]) =>
      [...what!.matchAll(/`([A-Z_]+)`/g)].map(([, name]) => [name!, Number(code)] as const),
    );
    expect(named.length).toBeGreaterThan(5);
    expect(named.map(([name]) => [name, exits.get(name as ErrorCodeName)])).toEqual(named);
  });
});

/** Words, exit code, what the error must hold. */
const REFUSED: readonly (readonly [string, readonly string[], number, RegExp])[] = [
  ['an unknown command, with the one that was meant', ['statsu'], EXIT.usage, /^USAGE: .*statsu.*Did you mean status/],
  ['an unknown option', ['status', '--everything'], EXIT.usage, /^USAGE: .*--everything/],
  ['a missing argument', ['recommend'], EXIT.usage, /^USAGE: .*user/],
  ['a number that is none', ['recommend', '1', '-k', 'many'], EXIT.usage, /^USAGE: .*many/],
  [
    'an unknown kind, naming those there are',
    ['enqueue', 'x', '--input', '{}'],
    EXIT.refused,
    /^KIND_UNKNOWN[^]*known: ingestion/,
  ],
  ['an unknown pipeline, naming those there are', ['run', 'x'], EXIT.refused, /^PIPELINE_UNKNOWN[^]*known: refresh/],
  [
    'broken JSON, saying where',
    ['enqueue', 'ingestion', '--input', '{"source":'],
    EXIT.usage,
    /^USAGE: --input is not JSON/,
  ],
  [
    'an input that does not fit, field by field',
    ['enqueue', 'segmentation', '--input', '{"x":1}'],
    EXIT.refused,
    /^INPUT_INVALID[^]*features: /,
  ],
  [
    'parameters of the wrong type',
    ['run', 'refresh', '--params', '{"candidates":"many"}'],
    EXIT.refused,
    /^INPUT_INVALID[^]*candidates: /,
  ],
  ['a folder that is not there', ['import', 'movielens', '/nowhere'], EXIT.refused, /^FILE_NOT_FOUND/],
  [
    'a file that cannot be written',
    ['export', 'events', '--out', '/nowhere/x'],
    EXIT.refused,
    /^FILE_NOT_FOUND: \/nowhere\/x cannot be written/,
  ],
  ['an unknown export', ['export', 'everything'], EXIT.usage, /^USAGE[^]*known: events/],
  ['an unknown scope', ['key', 'create', '--scope', 'everything'], EXIT.usage, /^USAGE[^]*known: events:write/],
  ['a run that is not there', ['cancel', 'main.segmentation.0'], EXIT.refused, /^NOT_FOUND[^]*millrace status/],
  [
    'a run to be run again that is not there',
    ['run', '--rerun', 'nonsense'],
    EXIT.refused,
    /^NOT_FOUND[^]*millrace status/,
  ],
  ['nothing published yet', ['recommend', '1'], EXIT.refused, /^NOT_PUBLISHED/],
];

describe('the command refuses, and leaves nothing behind:', () => {
  let user: User;
  beforeAll(async () => {
    user = await asUser();
  });
  afterAll(() => user[Symbol.asyncDispose]());

  test.each(REFUSED)('%s', async (_what, words, exit, said) => {
    const { code, stdout, stderr } = await user.millrace(...words);
    expect({ code, stdout }).toEqual({ code: exit, stdout: '' });
    expect(stderr).toMatch(said);
    const { store, redis, prefix } = user.services;
    expect([await store.events.count('main'), await store.people.count('main')]).toEqual([0, 0]);
    expect(await redis.keys(`${prefix}:*:wait`)).toEqual([]);
  });

  // What commander refuses, what an action refuses, and what the client refuses.
  test.each([
    ['USAGE', ['statsu']],
    ['KIND_UNKNOWN', ['enqueue', 'x', '--input', '{}']],
    ['INPUT_INVALID', ['enqueue', 'segmentation', '--input', '{"x":1}']],
  ] as const)('%s as one JSON document for programs', async (name, words) => {
    const { code, stdout, stderr } = await user.millrace(...words, '--json');
    const { error } = JSON.parse(stdout) as { error: { code: string; message: string } };
    expect({ code, stderr }).toEqual({ code: exitCodeOf(new AppError(name)), stderr: '' });
    expect(error).toMatchObject({ code: name, message: expect.stringMatching(new RegExp(`^${name}: `)) });
  });
});
