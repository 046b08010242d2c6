/** Owns `millrace keys`: what lies under which key, and wrapping all of it anew under the current master key. Keys themselves are never shown. */
import { Redis } from 'ioredis';
import { redisTls } from '../../../shared/contract-kit/tls.ts';
import type { Command } from 'commander';
import { sealKeyIds } from '../../../shared/contract-kit/seal.ts';
import { AppError } from '../../../shared/errors.ts';
import { keyIdOf } from '../../../shared/governance/crypto.ts';
import type { MasterKeyStatus, SealKeyStatus } from '../../../shared/store/ports.ts';
import { RedisJobs } from '../../collection.ts';
import type { Cli } from '../cli.ts';
import { table } from '../output.ts';
import type { Session } from '../session.ts';
import { followJob } from '../waiting.ts';

export interface KeysStatus {
  readonly master: { readonly provider: string; readonly keys: readonly MasterKeyStatus[] };
  readonly tenant: { readonly provider: string; readonly id: string };
  readonly seal: { readonly provider: string; readonly keys: readonly (SealKeyStatus & SealedUnder)[] };
}

interface SealedUnder {
  /** Inputs of jobs, payload claims and entries of the outbox under it. */
  readonly inputs: number;
  /** From when on it may be taken away, ms since 1970, provided that nothing is under it then; absent: the current one, or of unknown age. */
  readonly mayGoFrom?: number;
}

const wrapsOf = ({ wraps }: MasterKeyStatus): number => Object.values(wraps).reduce((sum, n) => sum + n, 0);

/** What is wrapped under keys that are not the current one. */
export const leftOf = (keys: readonly MasterKeyStatus[]): number =>
  keys.filter(({ current }) => !current).reduce((sum, key) => sum + wrapsOf(key), 0);

async function keysStatus(session: Session): Promise<KeysStatus> {
  const { config, store } = session;
  const { keyProviders, keepRunsMs, sealKeys, tenantKey } = config;
  const { keyring } = await store();
  const inputs = await sealedInputs(session);
  for (const [id, n] of await keyring.sealed()) inputs.set(id, (inputs.get(id) ?? 0) + n);
  const seals = await keyring.seals(sealKeyIds(sealKeys));
  const since = seals.find(({ current }) => current)?.currentSince;
  return {
    master: { provider: keyProviders.master, keys: await keyring.masters() },
    tenant: { provider: keyProviders.tenant, id: keyIdOf(tenantKey) },
    seal: {
      provider: keyProviders.seal,
      keys: seals.map((seal) => ({
        ...seal,
        inputs: inputs.get(seal.id) ?? 0,
        ...(!seal.current && since !== undefined && { mayGoFrom: since + keepRunsMs }),
      })),
    },
  };
}

/** Sealed inputs of jobs that have not ended well, by the id of their key: one scan of Redis. */
async function sealedInputs({ config, signal }: Session): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  const redis = new Redis(config.redisUrl, {
    ...redisTls(config.redisUrl, config.redisTls),
    maxRetriesPerRequest: 1,
    lazyConnect: true,
  });
  redis.on('error', () => {}); // commands reject
  try {
    await redis.connect();
    for await (const text of new RedisJobs(redis, config.prefix).texts()) {
      signal.throwIfAborted();
      const id = SEALED.exec(text)?.[1];
      if (id !== undefined) counts.set(id, (counts.get(id) ?? 0) + 1);
    }
    return counts;
  } finally {
    redis.disconnect();
  }
}

/** In the text of an envelope; a box is base64 and quotes nothing. */
const SEALED = /"sealed":\{"kid":"([0-9a-f]{8})"/;

const dateOf = (ms: number | undefined): string => (ms === undefined ? '' : new Date(ms).toISOString().slice(0, 19));

function masterState(key: MasterKeyStatus): string {
  if (key.current) return 'current';
  if (!key.held) return wrapsOf(key) > 0 ? 'NOT GIVEN' : 'gone';
  return wrapsOf(key) > 0 ? 'given, needed' : 'given, wraps nothing';
}

function sealState({ current, held, inputs, mayGoFrom }: SealKeyStatus & SealedUnder, now: number): string {
  if (current) return 'current';
  if (!held) return inputs > 0 ? 'NOT GIVEN' : 'gone';
  if (inputs > 0) return 'given, needed';
  return mayGoFrom !== undefined && mayGoFrom <= now
    ? 'given, may go'
    : `given, may go from ${dateOf(mayGoFrom) || '?'}`;
}

export function keysLines({ master, tenant, seal }: KeysStatus, now: number): string[] {
  const left = leftOf(master.keys);
  const current = master.keys.find((key) => key.current)?.id ?? '';
  const where = ({ wraps }: MasterKeyStatus): string =>
    Object.entries(wraps)
      .map(([name, n]) => `${name} ${n}`)
      .join(', ');
  return [
    `Master keys, from the ${master.provider}:`,
    ...table([
      ['', 'id', 'state', 'since', 'wraps', ''],
      ...master.keys.map((key) => ['', key.id, masterState(key), dateOf(key.since), String(wrapsOf(key)), where(key)]),
    ]),
    left > 0
      ? `${left} keys lie under another master key than ${current}. Once every process gives ${current} first: \`millrace keys rotate\`.`
      : `Everything lies under ${current}. Others may be taken away once no process gives one of them first.`,
    `Seal keys, from the ${seal.provider}:`,
    ...table([
      ['', 'id', 'state', 'current since', 'inputs'],
      ...seal.keys.map((key) => ['', key.id, sealState(key, now), dateOf(key.currentSince), String(key.inputs)]),
    ]),
    `Tenant key, from the ${tenant.provider}: ${tenant.id}. It cannot be changed: every pseudonym is made with it.`,
  ];
}

async function rotate(session: Session): Promise<void> {
  const { client, output, store } = session;
  const { current } = (await store()).keyring;
  const job = await client().migration.enqueue({ masterKey: current });
  const done = await followJob(session, 'migration', 'rotation of the master key', job);
  if (!('rewrapped' in done)) return; // of another act
  output.result(done, () => {
    const { left, masterKey, rewrapped, unreadable } = done;
    if (left === 0)
      return `${rewrapped} keys were wrapped anew; everything lies under ${masterKey}. Take the old key away once no process gives it first.`;
    const why = unreadable === left ? 'they do not open' : 'a process still gives an older key first';
    return `${rewrapped} keys were wrapped anew; ${left} are left under older keys: ${why}. See \`millrace keys status\`.`;
  });
}

export function registerKeys({ program, run }: Cli): void {
  const keys = program.command('keys').description('master, seal and tenant keys: what lies under which');
  keys
    .command('status')
    .description('where each key comes from, and how much lies under it')
    .action((_options: unknown, command: Command) =>
      run(command, async (session) => {
        const status = await keysStatus(session);
        session.output.result(status, () => keysLines(status, Date.now()));
      }),
    );
  keys
    .command('rotate')
    .description('wrap every key anew under the current master key; can be stopped and run again')
    .action((_options: unknown, command: Command) => run(command, rotate));
  keys
    .command('forget-seals')
    .description('after all seal keys were lost: take whichever is given next')
    .option('--yes', 'really: inputs under lost keys can never be opened')
    .action(({ yes }: { yes?: true }, command: Command) =>
      run(command, async ({ output, store }) => {
        if (yes !== true)
          throw new AppError('USAGE', {
            message: 'Inputs that wait under lost seal keys are lost with them: say --yes.',
          });
        await (await store()).keyring.forgetSeals();
        output.result(
          { forgotten: true },
          () => 'The seal keys are forgotten; the next worker or gateway notes its own.',
        );
      }),
    );
}
