/** Owns the ports of what a deployment says of itself, and of the receipts that it gives to people. */
import type { ConsentReceipt, SignedReceipt } from '../../governance/consent-receipt.ts';
import type { Organisation, OrganisationVersion } from '../../governance/organisation.ts';
import type { SubjectKey } from './keys.ts';

export interface Organisations {
  /** What is said now; undefined: nothing was ever said. */
  current(tenant: string): Promise<OrganisationVersion | undefined>;
  /** Adds a version. What is said already is not said again: then the current one is returned. */
  set(tenant: string, said: Organisation): Promise<OrganisationVersion>;
  /** Newest first. */
  history(tenant: string, limit: number): Promise<OrganisationVersion[]>;
}

export interface Receipts {
  /** Signs a receipt and keeps it in the person's envelope, which must be there. Idempotent by the receipt's id: the first one stays, and is returned. */
  issue(tenant: string, subject: SubjectKey, receipt: ConsentReceipt): Promise<SignedReceipt>;
  /** All that the person was given, oldest first; none once the person is erased. */
  of(tenant: string, subject: SubjectKey): Promise<SignedReceipt[]>;
  /** Of the key that signs, SPKI, PEM. */
  publicKey(): string;
}
