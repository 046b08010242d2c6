/** Owns the port of tokens of people: what a service hands to a person's own browser or app, so that they see and change what is theirs. */

/** `read` sees, `change` consents, withdraws and asks for erasure. */
export const TOKEN_ACTS = ['read', 'change'] as const;
export type TokenAct = (typeof TOKEN_ACTS)[number];

export interface PersonToken {
  readonly tenant: string;
  /** External id of the person. */
  readonly user: string;
  /** A token is used for one change. */
  readonly id: string;
  readonly acts: readonly TokenAct[];
  readonly expiresAt: number;
}

export interface PersonTokens {
  mint(
    tenant: string,
    user: string,
    options: { readonly acts: readonly TokenAct[]; readonly seconds: number },
  ): Promise<{ readonly token: string; readonly expiresAt: number }>;
  /** Throws AUTH_TOKEN_INVALID, AUTH_TOKEN_TENANT, AUTH_TOKEN_AUDIENCE, AUTH_TOKEN_EXPIRED, AUTH_TOKEN_EARLY. */
  read(token: string): Promise<PersonToken>;
  /** False: it was used for a change before, by whichever process. */
  spend(token: PersonToken): Promise<boolean>;
  /** Forgets what was spent and has expired since. */
  forget(): Promise<number>;
}
