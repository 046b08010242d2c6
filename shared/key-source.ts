/**
 * Owns where the keys of a deployment come from: a variable, a file, or what a command prints, so that the command-line tools of key services can be
 * used. A problem names the variable and what to do; nothing that was read, printed or given is repeated.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const KEY_NAMES = ['master', 'tenant', 'seal'] as const;
export type KeyName = (typeof KEY_NAMES)[number];
export type KeyProvider = 'environment' | 'file' | 'command' | 'state folder';

export interface FoundKeys {
  readonly provider: KeyProvider;
  /** 32 bytes each, the current one first. */
  readonly keys: readonly Buffer[];
}

type Environment = Readonly<Record<string, string | undefined>>;
/** What a provider gave, or what is wrong with it. */
type Given = { readonly provider: KeyProvider; readonly text: string } | { readonly problem: string };

const KEY_BYTES = 32;
/** A current one and those before it. */
const KEYS_MAX = 16;
const COMMAND_MS_DEFAULT = 10_000;
const COMMAND_MS_MAX = 600_000;
const OUTPUT_BYTES_MAX = 64 * 1024;
/** Of a command that is written as words: whoever needs more writes a list. */
const SHELL = /["'`$|&;<>(){}*?\\\n]/;

/** The key itself, a file that holds it, a command that prints it. */
const VARIABLES: Readonly<Record<KeyName, readonly [string, string, string]>> = {
  master: ['MILLRACE_MASTER_KEY', 'MILLRACE_MASTER_KEY_FILE', 'MILLRACE_MASTER_KEY_COMMAND'],
  tenant: ['MILLRACE_TENANT_KEY', 'MILLRACE_TENANT_KEY_FILE', 'MILLRACE_TENANT_KEY_COMMAND'],
  seal: ['MILLRACE_SEAL_KEY', 'MILLRACE_SEAL_KEY_FILE', 'MILLRACE_SEAL_KEY_COMMAND'],
};

/** The keys of one name; a text is the problem. */
export function findKeys(name: KeyName, environment: Environment, state: string): FoundKeys | string {
  const [variable] = VARIABLES[name];
  const set = VARIABLES[name].filter((one) => isSet(environment, one));
  if (set.length > 1) return `${set.join(' and ')} are both set: keep one of them`;
  const given = read(variable, set[0], environment, join(state, 'keys', `${name}.key`));
  if ('problem' in given) return given.problem;
  const keys = parse(given.text);
  if (keys === undefined)
    return `${set[0] ?? variable} must be 64 hex digits, or base64 of 32 bytes${name === 'tenant' ? '' : ' (several: comma-separated or on lines, the current one first)'}`;
  if (name === 'tenant' && keys.length > 1) return `${set[0] ?? variable} must be one key: pseudonyms are made with it`;
  return { provider: given.provider, keys };
}

const isSet = (environment: Environment, variable: string): boolean => (environment[variable] ?? '') !== '';

function read(variable: string, set: string | undefined, environment: Environment, own: string): Given {
  if (set === variable) return { provider: 'environment', text: environment[variable] ?? '' };
  if (set === `${variable}_COMMAND`) return ask(set, environment);
  const path = set === undefined ? own : (environment[set] ?? '');
  if (set === undefined && !existsSync(own))
    return { problem: `${variable} is missing: the first \`npm start\` makes it in the state folder` };
  try {
    return { provider: set === undefined ? 'state folder' : 'file', text: readFileSync(path, 'utf8') };
  } catch (thrown) {
    return {
      problem: `${set ?? variable} names a file that cannot be read (${codeOf(thrown)}): check its path and who may read it`,
    };
  }
}

const codeOf = (thrown: unknown): string =>
  thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : 'unknown';

/** Runs the command without a shell. What it says on standard error stays its own: it may repeat what it was given. */
function ask(variable: string, environment: Environment): Given {
  const words = wordsOf(environment[variable] ?? '');
  if (words === undefined)
    return {
      problem: `${variable} must be a program and its arguments, separated by spaces, or a JSON list of them: no shell reads it`,
    };
  const timeout = Number(environment.MILLRACE_KEY_COMMAND_MS ?? COMMAND_MS_DEFAULT);
  if (!Number.isSafeInteger(timeout) || timeout < 1 || timeout > COMMAND_MS_MAX)
    return { problem: `MILLRACE_KEY_COMMAND_MS must be a whole number from 1 to ${COMMAND_MS_MAX}` };
  const [program = '', ...args] = words;
  const { error, signal, status, stdout } = spawnSync(program, args, {
    env: { ...environment },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout,
    killSignal: 'SIGKILL',
    maxBuffer: OUTPUT_BYTES_MAX,
    shell: false,
  });
  if (error === undefined && status === 0) return { provider: 'command', text: stdout };
  const why = error === undefined ? `ended with ${signal ?? `code ${status}`}` : WHYS[codeOf(error)]?.(timeout);
  return { problem: `${variable} ${why ?? `did not start (${codeOf(error)})`}: run it by hand to see what it says` };
}

const WHYS: Readonly<Record<string, (ms: number) => string>> = {
  ETIMEDOUT: (ms) => `did not end within ${ms} ms (MILLRACE_KEY_COMMAND_MS)`,
  ENOBUFS: () => `printed more than ${OUTPUT_BYTES_MAX} bytes`,
};

function wordsOf(text: string): readonly string[] | undefined {
  const trimmed = text.trim();
  if (!trimmed.startsWith('[')) return trimmed === '' || SHELL.test(trimmed) ? undefined : trimmed.split(/ +/);
  try {
    const parsed: unknown = JSON.parse(trimmed);
    const isList = Array.isArray(parsed) && parsed.length > 0 && parsed.every((word) => typeof word === 'string');
    return isList ? parsed : undefined;
  } catch {
    return undefined;
  }
}

/** Hex or base64, as tools of key services print them; undefined: one of them is no key, or is there twice. */
function parse(text: string): Buffer[] | undefined {
  const words = text.split(/[\s,]+/).filter((word) => word !== '');
  if (words.length === 0 || words.length > KEYS_MAX) return undefined;
  const keys = words.map((word) => {
    if (/^[0-9a-fA-F]{64}$/.test(word)) return Buffer.from(word, 'hex');
    return /^[A-Za-z0-9+/]{43}=$/.test(word) ? Buffer.from(word, 'base64') : undefined;
  });
  const known = keys.filter((key) => key?.length === KEY_BYTES) as Buffer[];
  const isDistinct = new Set(known.map((key) => key.toString('hex'))).size === words.length;
  return known.length === words.length && isDistinct ? known : undefined;
}
