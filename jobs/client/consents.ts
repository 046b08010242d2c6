/** Owns what callers see of consents: what a person said, what stands of it, the receipts they hold, and the purposes that there are. */
import { z } from 'zod';
import { timestampSchema } from '../../shared/contract-kit/event.ts';
import { sourceNameSchema } from '../../shared/contract-kit/names.ts';
import { CONSENT_BASES, PURPOSES, purposeSchema } from '../../shared/contract-kit/purposes.ts';
import { JOB_KINDS } from '../registry.ts';

const sourceSchema = z.union([sourceNameSchema, z.literal('*')]);

/** As the gateway signs it: the form of docs/privacy.md, kept loose, so that a later form can be read. */
const signedReceiptSchema = z.object({
  receipt: z.object({ '@type': z.string(), 'dct:identifier': z.string() }).loose(),
  signature: z.string(),
  publicKey: z.string(),
});
export type SignedReceipt = z.output<typeof signedReceiptSchema>;

export const giveConsentSchema = z.strictObject({
  /** Names from GET /v1/purposes; what there is not is CONSENT_PURPOSE_UNKNOWN. */
  purposes: z.array(z.string().max(100)).min(1).max(PURPOSES.length),
  source: sourceSchema.default('*').describe('Absent: every source.'),
  basis: z.enum(CONSENT_BASES).exclude(['dataset-licence']).default('consent'),
  at: timestampSchema.optional().describe('When the person said so; absent: now.'),
  until: timestampSchema.optional().describe('When the consent ends; absent: when it is withdrawn.'),
  language: z.string().max(40).optional().describe('Of the notice that the person was shown; absent: the first one.'),
  key: z.string().min(1).max(200).optional().describe('The same key gives the same receipt, once.'),
});
export type GiveConsent = z.input<typeof giveConsentSchema>;

export const withdrawConsentSchema = z.strictObject({
  key: z.string().min(1).max(200).optional().describe('The same key has its effect once.'),
  purposes: z.array(purposeSchema).min(1).optional().describe('Absent: all.'),
  source: sourceSchema.optional().describe('Absent: every source.'),
});
export type WithdrawConsent = z.input<typeof withdrawConsentSchema>;

export const consentGivenSchema = z.object({
  /** Epoch of the consent log from which on it holds. */
  consentEpoch: z.int(),
  receipt: signedReceiptSchema,
});
export type ConsentGiven = z.output<typeof consentGivenSchema>;

export const withdrawnSchema = z.object({
  /** The job that removes what nothing justifies any more. The withdrawal itself holds already. */
  id: z.string(),
  runKey: z.string(),
  consentEpoch: z.int(),
  /** Absent: this deployment has not said who it is, so it signs nothing. */
  receipt: signedReceiptSchema.optional(),
});
export type ConsentWithdrawn = z.output<typeof withdrawnSchema>;

export const consentsOfPersonSchema = z.object({
  user: z.string(),
  isErased: z.boolean(),
  /** By source that something was said about (`*`: every other source too). */
  standing: z.array(
    z.object({
      source: z.string(),
      allowed: z.array(purposeSchema),
      /** Given for a time that is over. */
      ended: z.array(purposeSchema),
    }),
  ),
  /** In order of recording. */
  history: z.array(
    z.object({
      purposes: z.array(purposeSchema),
      source: z.string(),
      state: z.enum(['given', 'withdrawn']),
      basis: z.enum(CONSENT_BASES),
      at: z.number(),
      until: z.number().optional(),
      /** The id of a receipt, where there is one. */
      receipt: z.string().optional(),
    }),
  ),
  receipts: z.array(signedReceiptSchema),
});
export type ConsentsOfPerson = z.output<typeof consentsOfPersonSchema>;

export const purposesSchema = z.object({
  purposes: z.array(
    z.object({
      name: purposeSchema,
      /** What a person is told it means. */
      text: z.string(),
      /** Jobs that load data for it, and what they do. */
      kinds: z.array(z.object({ kind: z.enum(JOB_KINDS as [string, ...string[]]), title: z.string() })),
    }),
  ),
});
export type PurposesResponse = z.output<typeof purposesSchema>;

interface AskOptions {
  readonly signal?: AbortSignal;
}

/** Through the gateway, which checks, signs and records. */
export interface ConsentsClient {
  /** What the person may see: what stands, what was said, their receipts. */
  of(user: string, options?: AskOptions): Promise<ConsentsOfPerson>;
  give(user: string, consent: GiveConsent, options?: AskOptions): Promise<ConsentGiven>;
  /** Holds at once; what nothing justifies any more is removed by the job that is named. */
  withdraw(user: string, what?: WithdrawConsent, options?: AskOptions): Promise<ConsentWithdrawn>;
  /** The purposes that there are, with what a person is told of each. */
  purposes(options?: AskOptions): Promise<PurposesResponse>;
}
