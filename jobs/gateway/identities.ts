/** Owns what services and operators say about identities, by external ids. */
import { z } from 'zod';
import { ID_CHARS_MAX } from '../../shared/contract-kit/event-fields.ts';
import { purposeSchema } from '../../shared/contract-kit/purposes.ts';
import { IDENTITY_RELATIONS, type Store } from '../../shared/store/ports.ts';

const id = z.string().min(1).max(ID_CHARS_MAX);

export const identitySchema = z.strictObject({
  /** The name that is linked: a device, an anonymous id, a profile. */
  alias: id,
  /** The person, or the account. */
  user: id,
  relation: z.enum(IDENTITY_RELATIONS).default('same-person'),
  purposes: z.array(purposeSchema).min(1).max(10),
  state: z.enum(['given', 'withdrawn']).default('given'),
  /** Id of the receipt that the person holds. */
  receipt: z.string().min(1).max(200).optional(),
});
export type SaidIdentity = z.output<typeof identitySchema>;

/** False: a later word stands. Throws INPUT_INVALID for a link to itself, and for chains. */
export async function sayIdentity(store: Store, tenant: string, said: SaidIdentity, at: number): Promise<boolean> {
  const { alias, user, relation, purposes, state, receipt } = said;
  await store.people.ensure(tenant, [alias, user]);
  const [aliasKey, main] = store.people.keys(tenant, [alias, user]);
  const word = { alias: aliasKey!, main: main!, relation, purposes, state, at };
  return store.identities.say(tenant, receipt === undefined ? word : { ...word, receipt });
}
