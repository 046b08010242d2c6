/** Owns `millrace release`: what was published, what is live, and putting another one live or on hold. */
import { userInfo } from 'node:os';
import type { Command } from 'commander';
import { AppError } from '../../../shared/errors.ts';
import type { Pointer, PointerChange, Release, Store } from '../../../shared/store/ports.ts';
import { hold, type Operator, promote, rollBack, unhold } from '../../../shared/store/release-pointer.ts';
import type { Cli } from '../cli.ts';
import { table } from '../output.ts';
import type { Session } from '../session.ts';

const LISTED = 20;
const PARTS = ['dataset', 'embeddings', 'segments', 'candidates', 'audit'] as const;

const time = (at: number): string => new Date(at).toISOString().slice(0, 19);

function releaseRow(release: Release, pointer: Pointer | undefined): string[] {
  const mark = release.version !== pointer?.version ? '' : pointer.hold ? 'live, on hold' : 'live';
  const parts = PARTS.filter((name) => release[name] !== undefined).join(', ');
  return [`  ${release.version}`, time(release.createdAt), `of ${time(release.asOf)}`, mark, parts];
}

const changeRow = ({ at, did, version, by, reason = '' }: PointerChange): string[] => [
  `  ${time(at)}`,
  did,
  version,
  by,
  reason,
];

async function read(store: Store, tenant: string, version: string): Promise<Release> {
  const release = await store.releases.read(tenant, version);
  if (release !== undefined) return release;
  throw new AppError('NOT_FOUND', { message: `There is no release ${version}.`, details: { version } });
}

function registerShow({ program, run }: Cli, release: ReturnType<Cli['program']['command']>): void {
  void program;
  release
    .command('list', { isDefault: true })
    .description('what was published, newest first, what is live, and the last changes of that')
    .action((_options: unknown, command: Command) =>
      run(command, async ({ config: { tenant }, output, store }) => {
        const { releases } = await store();
        const [pointer, found] = await Promise.all([releases.pointer(tenant), releases.history(tenant, LISTED)]);
        output.result({ pointer, releases: found }, () => [
          ...(found.length === 0
            ? ['Nothing is published yet: `millrace run refresh --wait`.']
            : ['Releases', ...table(found.map((one) => releaseRow(one, pointer)))]),
          ...(pointer?.changes === undefined
            ? []
            : ['Changes', ...table(pointer.changes.slice(-LISTED).map(changeRow))]),
        ]);
      }),
    );
  release
    .command('show <version>')
    .description('the parts of one release')
    .action((version: string, _options: unknown, command: Command) =>
      run(command, async ({ config: { tenant }, output, store }) => {
        const found = await read(await store(), tenant, version);
        output.result(found, () => [
          `${found.version}, of ${time(found.asOf)}, published ${time(found.createdAt)}`,
          ...table(PARTS.map((name) => [`  ${name}`, found[name] ?? '-'])),
        ]);
      }),
    );
}

interface Reason {
  readonly reason?: string;
}

export function registerRelease(cli: Cli): void {
  const release = cli.program.command('release').description('what is live');
  registerShow(cli, release);
  const change = (
    usage: string,
    description: string,
    act: (store: Store, tenant: string, operator: Operator, version: string | undefined) => Promise<Pointer>,
  ): void => {
    const takesVersion = usage.includes(' ');
    release
      .command(usage)
      .description(description)
      .option('--reason <text>', 'kept with the change')
      .action((...given: unknown[]) => {
        const [version, { reason }, command] = (takesVersion ? given : [undefined, ...given]) as [
          string | undefined,
          Reason,
          Command,
        ];
        return cli.run(command, (session) => carryOut(session, act, version, reason));
      });
  };
  change(
    'rollback [version]',
    'put an earlier release live and hold it there; without a version, the one before',
    rollBack,
  );
  change(
    'promote <version>',
    'put a newer release live and let go of a hold',
    (store, tenant, operator, version = '') => promote(store, tenant, operator, version),
  );
  change('hold', 'nothing that is published goes live', hold);
  change('unhold', 'what is published next goes live again', unhold);
}

async function carryOut(
  { config: { tenant }, output, store }: Session,
  act: (store: Store, tenant: string, operator: Operator, version: string | undefined) => Promise<Pointer>,
  version: string | undefined,
  reason: string | undefined,
): Promise<void> {
  const operator = { by: `${userInfo().username}, command`, ...(reason === undefined ? {} : { reason }) };
  const pointer = await act(await store(), tenant, operator, version);
  const held = pointer.hold ? ', on hold: `millrace release unhold` lets the next one go live' : '';
  output.result(pointer, () => `Live is ${pointer.version}${held}.`);
}
