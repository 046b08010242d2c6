/** Owns the whole proof of one data set: servers of its own, the proof on them, and a look at every byte that they and the workers leave behind. */
import { expect } from 'vitest';
import { canariesOf, type DataSet, PUBLIC_WORD } from './data-set.ts';
import { privateServers, scan } from './servers.ts';

/** Of those who stay: nothing personal lies in the clear, whoever it is about. */
const OTHERS = 5;

export async function proved(set: DataSet): Promise<string> {
  await using servers = await privateServers();
  // Read by what is imported from here on.
  Object.assign(process.env, servers.env);
  const { prove } = await import('./proof.ts');
  const { seconds, events, said } = await prove(set);
  await servers.stop();
  const leaving = Object.values(set.leaving);
  const others = set.users.filter((user) => !leaving.includes(user)).slice(0, OTHERS);
  const secrets = [...leaving.flatMap(canariesOf), ...others.flatMap((user) => canariesOf(user).slice(1))];
  const { found, files, bytes } = await scan(servers.folder, [...secrets, PUBLIC_WORD]);
  expect(found.get(PUBLIC_WORD)?.length, 'the scan sees what lies there in the clear').toBeGreaterThan(0);
  expect([...found.keys()]).toEqual([PUBLIC_WORD]);
  expect(said).toContain('governance');
  expect(secrets.filter((secret) => said.includes(secret))).toEqual([]);
  const each = Object.entries(seconds).map(([role, taken]) => `${role} ${taken.toFixed(1)} s`);
  return `${events} events left; ${each.join(', ')}; ${files} files of ${Math.round(bytes / 2 ** 20)} MB scanned`;
}
