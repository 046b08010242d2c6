/** Owns the question whether anything is held of a person or was ever said by them: who withdraws must have given before. */
import { hexOf } from '../governance/keys.ts';
import type { Store } from './ports.ts';

export async function isHeardOf(
  { people, consents }: Pick<Store, 'people' | 'consents'>,
  tenant: string,
  user: string,
): Promise<boolean> {
  const [subject] = people.keys(tenant, [user]);
  const snapshot = await consents.snapshot(tenant);
  if (snapshot.sourcesOf(subject!).length > 0) return true;
  return (await people.open(tenant, [subject!])).has(hexOf(subject!));
}
