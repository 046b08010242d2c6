/**
 * Owns the form of consent records and receipts: ISO/IEC TS 27560:2023 through the terms of the W3C Data Privacy Vocabulary 2 (JSON-LD). A record says what
 * was agreed between whom and when; a receipt is the person's signed copy of it, with an id of its own.
 */
import { z } from 'zod';
import { type ConsentBasis, PURPOSE_TEXTS, type Purpose } from '../contract-kit/purposes.ts';
import { type Notice, noticeIn, type Organisation, type OrganisationVersion } from './organisation.ts';
import { isSignedBy } from './signing.ts';

const SCHEMA = 'https://w3id.org/dpv/schema/dpv-27560';
export const RECORD_SCHEMA = `${SCHEMA}#record`;
const RECEIPT_SCHEMA = `${SCHEMA}#receipt-record`;

/** Every prefix that is used; `mr` holds what no vocabulary has a word for. */
const CONTEXT = {
  dpv: 'https://w3id.org/dpv#',
  loc: 'https://w3id.org/dpv/loc#',
  dct: 'http://purl.org/dc/terms/',
  schema: 'https://schema.org/',
  xsd: 'http://www.w3.org/2001/XMLSchema#',
  mr: 'urn:millrace:consent:',
} as const;

const BASES: Readonly<Record<ConsentBasis, string>> = {
  consent: 'dpv:Consent',
  contract: 'dpv:Contract',
  'legitimate-interest': 'dpv:LegitimateInterest',
  'dataset-licence': 'mr:DatasetLicence',
};
const RIGHT_TERMS: Readonly<Record<string, string>> = {
  'withdraw-consent': 'mr:RightToWithdrawConsent',
  'no-sale': 'mr:RightToOptOutOfSale',
};

export interface Agreement {
  readonly recordId: string;
  readonly receiptId: string;
  /** The person's pseudonym. */
  readonly principal: string;
  readonly purposes: readonly Purpose[];
  readonly source: string;
  readonly state: 'given' | 'withdrawn';
  readonly basis: ConsentBasis;
  readonly at: number;
  readonly until?: number;
  readonly language?: string;
  /** Who says so: the person by themselves, or a service that asked them. */
  readonly by: 'principal' | 'service';
}

const iso = (ms: number): string => new Date(ms).toISOString();
const placed = (codes: readonly string[]): string[] => codes.map((code) => `loc:${code}`);

/** What is signed. Readers of other versions look at `dct:conformsTo`. */
const receiptSchema = z
  .object({
    '@type': z.literal('dpv:ConsentReceipt'),
    'dct:identifier': z.string(),
    'dct:created': z.string(),
    'dpv:hasRecordOfActivity': z.object({ 'dct:identifier': z.string() }).loose(),
  })
  .loose();
export const signedReceiptSchema = z.object({
  receipt: receiptSchema,
  /** Ed25519 over the receipt's canonical JSON (RFC 8032, RFC 8785), base64. */
  signature: z.string(),
  /** SPKI, PEM. */
  publicKey: z.string(),
});
export type ConsentReceipt = z.output<typeof receiptSchema>;
export type SignedReceipt = z.output<typeof signedReceiptSchema>;

export function receiptOf(agreed: Agreement, organisation: OrganisationVersion, issuedAt: number): ConsentReceipt {
  const { controller } = organisation.said;
  return {
    '@context': CONTEXT,
    '@type': 'dpv:ConsentReceipt',
    '@id': `urn:uuid:${agreed.receiptId}`,
    'dct:identifier': agreed.receiptId,
    'dct:conformsTo': RECEIPT_SCHEMA,
    'dct:created': iso(issuedAt),
    'dct:publisher': controller.name,
    'schema:recipient': 'dpv:DataSubject',
    'dpv:hasRecordOfActivity': recordOf(agreed, organisation),
  };
}

function recordOf(agreed: Agreement, { version, said }: OrganisationVersion) {
  const { controller, dataProtectionOfficer, jurisdictions, rights, withdrawal } = said;
  return {
    '@type': 'dpv:ConsentRecord',
    '@id': `urn:uuid:${agreed.recordId}`,
    'dct:identifier': agreed.recordId,
    'dct:conformsTo': RECORD_SCHEMA,
    'dpv:hasDataSubject': { '@id': `mr:${agreed.principal}`, '@type': 'dpv:DataSubject' },
    'dpv:hasDataController': partyOf('dpv:DataController', controller),
    ...(dataProtectionOfficer && {
      'dpv:hasDataProtectionOfficer': partyOf('dpv:DataProtectionOfficer', dataProtectionOfficer),
    }),
    'dpv:hasJurisdiction': placed(jurisdictions),
    'mr:organisationVersion': version,
    'dpv:hasNotice': noticeOf(noticeIn(said, agreed.language)),
    'dpv:hasProcess': processOf(agreed, said),
    'dpv:hasRight': rights.offered.map((right) => ({
      '@type': RIGHT_TERMS[right] ?? 'dpv:DataSubjectRight',
      'dct:title': right,
      ...(rights.url && { 'dpv:isExercisedAt': rights.url }),
      ...(right === 'complaint' && rights.authority && { 'schema:recipient': rights.authority }),
    })),
    'dpv:hasConsentControl': {
      '@type': 'dpv:WithdrawConsent',
      'dct:description': withdrawal.method,
      ...(withdrawal.url && { 'dpv:isExercisedAt': withdrawal.url }),
    },
    'dpv:hasConsentStatus': [eventOf(agreed)],
  };
}

function processOf({ purposes, source, basis }: Agreement, said: Organisation) {
  const { dataCategories, processing, recipients, storage } = said;
  return {
    '@type': 'dpv:Process',
    'dpv:hasPurpose': purposes.map((purpose) => ({
      '@id': `mr:${purpose}`,
      'dct:description': PURPOSE_TEXTS[purpose],
    })),
    'dpv:hasLegalBasis': BASES[basis],
    'dpv:hasPersonalData': [...dataCategories],
    'dpv:hasDataSource': source === '*' ? 'mr:every-source' : `mr:${source}`,
    'dpv:hasProcessing': { 'dct:description': processing.method, 'dpv:hasLocation': placed(processing.locations) },
    'dpv:hasRecipient': recipients.map((party) => ({
      'schema:name': party.name,
      'dpv:hasRole': party.role,
      ...(party.country && { 'dpv:hasLocation': `loc:${party.country}` }),
      ...(party.url && { 'schema:url': party.url }),
    })),
    'dpv:hasStorageCondition': [
      { '@type': 'dpv:StorageLocation', 'dpv:hasLocation': placed(storage.locations) },
      {
        '@type': 'dpv:StorageDuration',
        'dct:description': storage.retention,
        ...(storage.retentionDays !== undefined && { 'dpv:hasDuration': `P${storage.retentionDays}D` }),
      },
    ],
  };
}

function partyOf(type: string, { name, contact, url, address }: Organisation['controller']) {
  return {
    '@type': type,
    'schema:name': name,
    'dpv:hasContact': contact,
    ...(url && { 'schema:url': url }),
    ...(address && { 'dpv:hasAddress': address }),
  };
}

function noticeOf(notice: Notice | undefined) {
  if (notice === undefined) return undefined;
  const { language, version, text, url } = notice;
  return {
    '@type': 'dpv:ConsentNotice',
    'dct:language': language,
    'schema:version': version,
    'dct:description': text,
    ...(url && { 'schema:url': url }),
  };
}

/** Type, state, time, duration, entity. */
function eventOf({ state, at, until, basis, by }: Agreement) {
  return {
    '@type': state === 'given' ? 'dpv:ConsentGiven' : 'dpv:ConsentWithdrawn',
    'mr:eventType': basis === 'consent' ? 'explicit' : 'other-basis',
    'dpv:isIndicatedAtTime': iso(at),
    'dpv:isIndicatedBy': by === 'principal' ? 'dpv:DataSubject' : 'mr:service',
    'dpv:hasDuration':
      until === undefined
        ? { '@type': 'dpv:UntilEventDuration', 'dct:description': 'until it is withdrawn' }
        : { '@type': 'dpv:UntilTimeDuration', 'dct:valid': iso(until) },
  };
}

/** What was kept of a receipt, if it is one that was issued here; undefined: the text is something else. */
export function readReceipt(text: string): SignedReceipt | undefined {
  if (!text.startsWith('{')) return undefined;
  try {
    const parsed = signedReceiptSchema.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}

/** The id of the receipt behind the text that was kept: of one issued here its own, else the text is the id. */
export const receiptIdIn = (text: string): string => readReceipt(text)?.receipt['dct:identifier'] ?? text;

/** Whether a receipt is as it was signed, and by the key that this deployment is known by. */
export function isGenuine({ receipt, signature, publicKey }: SignedReceipt, knownKey: string): boolean {
  return publicKey.trim() === knownKey.trim() && isSignedBy(receipt, signature, knownKey);
}
