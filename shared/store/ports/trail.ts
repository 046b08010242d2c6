/** Owns the port of the audit trail: who looked at or did what, when, and how it ended; a chain that shows whether it was touched. */
import type { SubjectKey } from './keys.ts';

export const TRAIL_ACTORS = ['account', 'key', 'person', 'command', 'run', 'nobody'] as const;
export type TrailActor = (typeof TRAIL_ACTORS)[number];

/** What is told of one act. Never personal data in the clear: a person is named by subject key here, and by pseudonym in what is kept. */
export interface TrailNote {
  /** `id`: name of the account, id of the API key, user of the machine, run key; of a person empty: the pseudonym takes its place. */
  readonly actor: { readonly kind: TrailActor; readonly id: string };
  /** As which role or with which scopes they acted. */
  readonly role?: string;
  /** The permission that it needs. */
  readonly act: string;
  /** The route, command or kind. */
  readonly object: string;
  /** Opaque ids of what it was about. */
  readonly ids?: readonly string[];
  /** The person whom it was about. */
  readonly subject?: SubjectKey;
  /** `allowed`, or the code that it was refused with. */
  readonly outcome: string;
  readonly at: number;
  /** Id of the request. */
  readonly request?: string;
  /** So many alike are one entry; absent: one. */
  readonly count?: number;
}

export interface TrailEntry extends Omit<TrailNote, 'subject'> {
  /** 1, 2, 3, ... of the tenant. */
  readonly n: number;
  /** Pseudonym under a key of the person's own, which goes with the person; `unknown`: nothing is held about who was asked for. */
  readonly person?: string;
  /** Of the entry before. */
  readonly prev: string;
  /** HMAC-SHA256 over everything else, under a key derived from the tenant key; base64url. */
  readonly hash: string;
}

export interface TrailHead {
  readonly tenant: string;
  readonly n: number;
  readonly hash: string;
  readonly at: number;
}
/** Kept outside of the store, it shows that the end of the trail was cut off or written anew. */
export interface SignedTrailHead {
  readonly head: TrailHead;
  /** Ed25519 over the canonical JSON of the head, base64. */
  readonly signature: string;
  /** SPKI, PEM. */
  readonly publicKey: string;
}

export interface TrailQuery {
  /** At that moment or later, ms since 1970. */
  readonly since?: number | undefined;
  readonly actor?: string | undefined;
  readonly act?: string | undefined;
  /** About that person. */
  readonly subject?: SubjectKey | undefined;
  readonly outcome?: string | undefined;
  /** Only entries of lower numbers. */
  readonly before?: number | undefined;
}

/** `changed`: its content is not what was hashed. `removed`: entries before it are gone. `out-of-order`: it stands where another belongs. `replaced`: what it follows is not
 * what it was written after. `cut-off`: the trail ends before a head that was signed. `head-not-ours`: a head is not signed with the deployment's key. */
export const TRAIL_FAULTS = ['changed', 'removed', 'out-of-order', 'replaced', 'cut-off', 'head-not-ours'] as const;
export interface TrailFault {
  readonly what: (typeof TRAIL_FAULTS)[number];
  /** The entry, or the first of those concerned. */
  readonly n: number;
  /** The last of those concerned, where there are several. */
  readonly to?: number;
}

export interface TrailReport {
  readonly checked: number;
  readonly first: number;
  readonly last: number;
  /** Heads from elsewhere that the trail was held against. */
  readonly heads: number;
  /** At most FAULTS_MAX. */
  readonly faults: readonly TrailFault[];
}

export interface Trail {
  /**
   * Adds to the tenant's trail; what is told at the same time is written together. Resolves once it is in the store; throws TRAIL_UNAVAILABLE when
   * it cannot be written: then what it tells of must not go out.
   */
  note(tenant: string, notes: readonly TrailNote[]): Promise<void>;
  /** Newest first. */
  read(tenant: string, query: TrailQuery, limit: number): Promise<TrailEntry[]>;
  /** Reads all of it, and holds it against heads that were kept elsewhere. */
  verify(tenant: string, heads?: readonly SignedTrailHead[]): Promise<TrailReport>;
  /** Undefined: nothing is in it. */
  head(tenant: string): Promise<SignedTrailHead | undefined>;
  /** Told of the newest head after each write of this process. */
  onHead(listener: (head: SignedTrailHead) => void): void;
  /** Removes what is older, and notes so. Returns the number of entries that went. */
  prune(tenant: string, beforeMs: number): Promise<number>;
  /** Tenants that have a trail. */
  tenants(): Promise<string[]>;
}
