/**
 * Owns the port of identity links: that two names are one person, or that a profile belongs to an account. A link is what somebody has said, for purposes,
 * and can be taken back. Events stay under the names that they came with; links say how they are read, so taking one back rewrites nothing.
 */
import type { Purpose } from '../../contract-kit/purposes.ts';
import type { SubjectKey } from './keys.ts';

/**
 * `same-person`: a device, an anonymous id or another account of the person; its events are read as the person's.
 * `profile`: somebody of their own within an account; read apart, and only where the account allows it too.
 */
export const IDENTITY_RELATIONS = ['same-person', 'profile'] as const;
export type IdentityRelation = (typeof IDENTITY_RELATIONS)[number];

export interface IdentityWord {
  /** The name that is linked. It has one link at most. */
  readonly alias: SubjectKey;
  /** The person, or the account. No alias itself. */
  readonly main: SubjectKey;
  readonly relation: IdentityRelation;
  readonly purposes: readonly Purpose[];
  readonly state: 'given' | 'withdrawn';
  /** When it was said. The later word holds; of two of one moment the withdrawal. */
  readonly at: number;
  readonly receipt?: string;
}

export interface Identities {
  /** False: a later word stands. Throws INPUT_INVALID for a link to itself, and for chains. */
  say(tenant: string, word: IdentityWord): Promise<boolean>;
  /** The last word about a name. */
  of(tenant: string, alias: SubjectKey): Promise<IdentityWord | undefined>;
  /** All links in force. */
  inForce(tenant: string): Promise<readonly IdentityWord[]>;
  /** Who is linked with any of these, either way: what was made of one may have been made of the other. */
  relatives(tenant: string, subjects: readonly SubjectKey[]): Promise<SubjectKey[]>;
}
