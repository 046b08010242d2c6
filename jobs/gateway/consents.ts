/**
 * Owns what a person may do with their consents, whoever asks for them: see what stands, give, withdraw. A consent is given with a signed receipt of
 * it, which is in the person's envelope before the word is in the log, so that no word refers to a receipt that there is not.
 */
import { createHash, randomUUID } from 'node:crypto';
import { checkConsent } from '../../shared/contract-kit/check-consent.ts';
import type { ConsentRecord } from '../../shared/contract-kit/event.ts';
import { PURPOSE_TEXTS, PURPOSES } from '../../shared/contract-kit/purposes.ts';
import { AppError, type ErrorCodeName } from '../../shared/errors.ts';
import { type Agreement, receiptOf, type SignedReceipt } from '../../shared/governance/consent-receipt.ts';
import { hexOf } from '../../shared/governance/keys.ts';
import { noticeIn, type OrganisationVersion } from '../../shared/governance/organisation.ts';
import { isHeardOf } from '../../shared/store/heard-of.ts';
import type { Store } from '../../shared/store/ports.ts';
import type { z } from 'zod';
import type {
  ConsentGiven,
  ConsentsOfPerson,
  ConsentWithdrawn,
  giveConsentSchema,
  PurposesResponse,
  withdrawConsentSchema,
} from '../client/consents.ts';
import type { Millrace } from '../client/millrace.ts';
import { CONTRACTS } from '../registry.ts';

export interface ConsentDesk {
  readonly store: Store;
  readonly tenant: string;
  readonly now: () => number;
  /** Who says so: the person by themselves, or a service that asked them. */
  readonly by: Agreement['by'];
}

export async function consentsOf(
  { store, tenant }: Pick<ConsentDesk, 'store' | 'tenant'>,
  user: string,
): Promise<ConsentsOfPerson> {
  const [subject] = store.people.keys(tenant, [user]);
  const [snapshot, history, receipts] = await Promise.all([
    store.consents.snapshot(tenant),
    store.consents.history(tenant, subject!),
    store.receipts.of(tenant, subject!),
  ]);
  const standing = snapshot.sourcesOf(subject!).map((source) => ({
    source,
    allowed: PURPOSES.filter((purpose) => snapshot.allows(subject!, purpose, source)),
    ended: PURPOSES.filter((purpose) => snapshot.hasEnded(subject!, purpose, source)),
  }));
  const said = history.map((word) => ({ ...word, purposes: [...word.purposes] }));
  return { user, isErased: snapshot.isErased(subject!), standing, history: said, receipts };
}

/** Throws PERSON_ERASED, NOTICE_MISSING, CONSENT_PURPOSE_UNKNOWN, CONSENT_IN_FUTURE, CONSENT_EXPIRED, INPUT_INVALID; then nothing is recorded. */
export async function giveConsent(
  desk: ConsentDesk,
  user: string,
  given: z.output<typeof giveConsentSchema>,
): Promise<ConsentGiven> {
  const { store, tenant, now } = desk;
  const { key, language, at = now(), ...said } = given;
  const record = checked({ ...said, user, at, state: 'given' }, now());
  await refuseErased(desk, user);
  const organisation = await store.organisations.current(tenant);
  if (organisation === undefined) throw new AppError('NOTICE_MISSING');
  if (noticeIn(organisation.said, language) === undefined)
    throw new AppError('INPUT_INVALID', {
      message: `There is no notice in the language ${language}.`,
      details: {
        issues: [{ path: ['language'], message: 'no notice is written in it' }],
        known: organisation.said.notices.map((notice) => notice.language),
      },
    });
  const { receipt, consentEpoch } = await recordWithReceipt(desk, record, { key, language, organisation });
  return { consentEpoch, receipt: receipt! };
}

/** Holds when this returns; the job that it started removes what nothing justifies any more. Throws PERSON_UNKNOWN and PERSON_ERASED. */
export async function withdrawConsent(
  desk: ConsentDesk,
  client: Millrace,
  user: string,
  { key, purposes = [...PURPOSES], source = '*' }: z.output<typeof withdrawConsentSchema>,
): Promise<ConsentWithdrawn> {
  const { store, tenant, now } = desk;
  await refuseErased(desk, user);
  if (!(await isHeardOf(store, tenant, user)))
    throw new AppError('PERSON_UNKNOWN', { details: { issues: [{ path: ['user'], message: 'nothing is held' }] } });
  const record = checked({ user, purposes, source, state: 'withdrawn', at: now() }, now());
  const organisation = await store.organisations.current(tenant);
  const { receipt, consentEpoch, saidBy } = await recordWithReceipt(desk, record, { key, organisation });
  // Of its own key: a word that is said again is carried out once.
  const { id, runKey } = await client.job('governance').enqueue({ act: 'settle', saidBy }, { key: saidBy });
  return { id, runKey, consentEpoch, ...(receipt && { receipt }) };
}

/** What there is to consent to. */
export function purposesToday(): PurposesResponse {
  const contracts = Object.values(CONTRACTS);
  return {
    purposes: PURPOSES.map((name) => ({
      name,
      text: PURPOSE_TEXTS[name],
      kinds: contracts
        .filter(({ purposes }) => (purposes as readonly string[]).includes(name))
        .map(({ kind, title }) => ({ kind, title })),
    })),
  };
}

function checked(candidate: unknown, now: number): ConsentRecord {
  const result = checkConsent(candidate, 0, now);
  if (result.ok) return result.value;
  const { code, field = '', reason } = result.rejection;
  throw new AppError(code as ErrorCodeName, {
    message: `${field}: ${reason}.`,
    details: { issues: [{ path: field.split('.'), message: reason }] },
  });
}

async function refuseErased({ store, tenant }: ConsentDesk, user: string): Promise<void> {
  const [subject] = store.people.keys(tenant, [user]);
  if ((await store.consents.snapshot(tenant)).isErased(subject!)) throw new AppError('PERSON_ERASED');
}

interface Recording {
  readonly key?: string | undefined;
  readonly language?: string | undefined;
  readonly organisation: OrganisationVersion | undefined;
}
interface Recorded {
  readonly consentEpoch: number;
  /** Absent: there is no organisation to sign for. */
  readonly receipt?: SignedReceipt;
  /** The name under which the word is in the log. */
  readonly saidBy: string;
}

async function recordWithReceipt(
  { store, tenant, now, by }: ConsentDesk,
  record: ConsentRecord,
  { key, language, organisation }: Recording,
): Promise<Recorded> {
  const { user } = record;
  await store.people.ensure(tenant, [user]);
  const principal = hexOf(store.people.keys(tenant, [user])[0]!);
  const idOf = (what: string): string =>
    key === undefined ? randomUUID() : uuidFrom([what, tenant, principal, record.state, key]);
  const receiptId = idOf('receipt');
  const saidBy = `consent.${receiptId}`;
  if (organisation === undefined)
    return { consentEpoch: await store.consents.record(tenant, saidBy, [record]), saidBy };
  const { user: _user, receipt: _receipt, until, ...agreed } = record;
  const terms = { ...agreed, ...(until !== undefined && { until }), ...(language !== undefined && { language }) };
  const draft = receiptOf({ ...terms, recordId: idOf('record'), receiptId, principal, by }, organisation, now());
  const receipt = await store.receipts.issue(tenant, store.people.keys(tenant, [user])[0]!, draft);
  const consentEpoch = await store.consents.record(tenant, saidBy, [{ ...record, receipt: receiptId }]);
  return { consentEpoch, receipt, saidBy };
}

/** The same words give the same id (RFC 9562, version 8). */
function uuidFrom(words: readonly string[]): string {
  const bytes = createHash('sha256').update(JSON.stringify(words)).digest().subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
