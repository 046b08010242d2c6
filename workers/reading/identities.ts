/**
 * Owns how linked names are read at the time of a job: which rows are read as another person's, and whose account must allow it too. Asked anew by
 * every job: a link that was taken back is none, and the events are read apart again.
 */
import type { Purpose } from '../../shared/contract-kit/purposes.ts';
import { hexOf } from '../../shared/governance/keys.ts';
import { sourceOf } from '../../shared/sources/registry.ts';
import type { ConsentSnapshot, EventColumns, IdentityWord, SubjectKey } from '../../shared/store/ports.ts';
import type { RunContext } from '../runtime/processor.ts';
import type { LinkedRequest } from './linked-events.task.ts';

const TASKS = new URL('./linked-events.task.ts', import.meta.url).href;

/** The account of each profile, by hex of the profile's key. */
export type Accounts = ReadonlyMap<string, SubjectKey>;

export async function linksFor(
  purpose: Purpose,
  { store, tenant }: RunContext,
): Promise<{ readonly same: readonly IdentityWord[]; readonly accounts: Accounts }> {
  const links = await store.identities.inForce(tenant);
  const same = links.filter(({ relation, purposes }) => relation === 'same-person' && purposes.includes(purpose));
  const profiles = links.filter(({ relation }) => relation === 'profile');
  return { same, accounts: new Map(profiles.map(({ alias, main }) => [hexOf(alias), main])) };
}

interface Judged {
  readonly purpose: Purpose;
  readonly same: readonly IdentityWord[];
  readonly consents: ConsentSnapshot;
  readonly held: ReadonlySet<string>;
}

/** Rows of a source are read as the person's where both names allow the purpose for it, and neither is held for no person. Else they are read apart. */
export async function readLinked(
  columns: EventColumns,
  { purpose, same, consents, held }: Judged,
  { pool, signal }: RunContext,
): Promise<EventColumns> {
  const links = same.filter(({ alias, main }) => !held.has(hexOf(alias)) && !held.has(hexOf(main)));
  if (links.length === 0) return columns;
  const { sources } = columns;
  const applies = new Uint8Array(links.length * sources.length);
  for (const [n, { alias, main }] of links.entries())
    for (const [s, source] of sources.entries()) {
      const serves = sourceOf(source).purposes.includes(purpose);
      const allowed = consents.allows(alias, purpose, source) && consents.allows(main, purpose, source);
      applies[n * sources.length + s] = serves && allowed ? 1 : 0;
    }
  const payload: LinkedRequest = {
    columns,
    aliases: Buffer.concat(links.map(({ alias }) => alias)),
    mains: Buffer.concat(links.map(({ main }) => main)),
    applies,
  };
  const [linked] = await pool.runPhase<EventColumns>([{ module: TASKS, name: 'linkEvents', payload }], signal);
  return linked!;
}
