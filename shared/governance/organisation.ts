/**
 * Owns what a deployment says of itself to the people whose consent it asks for: who it is, where and how long their data lie, who gets them, and the notice
 * in the languages that it is written in. Every version is kept: a consent refers to the one that the person was shown.
 */
import { z } from 'zod';

const text = (max: number) => z.string().min(1).max(max);
const address = z.url().max(500);
/** BCP 47, as far as anybody needs: `en`, `pt-BR`, `zh-Hant-TW`. */
const languageSchema = z.string().regex(/^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$/, 'a language tag like en or pt-BR');
/** ISO 3166-1 or -2, or EU. */
const placeSchema = z.string().regex(/^[A-Z]{2}(-[A-Z0-9]{1,3})?$/, 'a country or region like IE, IN-KA or EU');

const partySchema = z.strictObject({
  name: text(200),
  /** Where the person can write to. */
  contact: text(300),
  url: address.optional(),
  address: text(500).optional(),
});

const RECIPIENT_ROLES = ['processor', 'joint-controller', 'third-party'] as const;

export const RIGHTS = [
  'access',
  'rectification',
  'erasure',
  'restriction',
  'portability',
  'objection',
  'withdraw-consent',
  'no-sale',
  'complaint',
] as const;

export const organisationSchema = z.strictObject({
  controller: partySchema,
  dataProtectionOfficer: partySchema.optional(),
  /** Whose law holds. */
  jurisdictions: z.array(placeSchema).min(1).max(20),
  recipients: z
    .array(
      partySchema.omit({ contact: true }).extend({ role: z.enum(RECIPIENT_ROLES), country: placeSchema.optional() }),
    )
    .max(100)
    .default([]),
  storage: z.strictObject({
    locations: z.array(placeSchema).min(1).max(20),
    /** In words for people. */
    retention: text(500),
    /** Where there is a number; a consent may end earlier. */
    retentionDays: z.int().min(1).max(36_500).optional(),
  }),
  processing: z.strictObject({ method: text(500), locations: z.array(placeSchema).min(1).max(20) }),
  /** Categories of data, terms of DPV-PD where it has them. */
  dataCategories: z.array(text(100)).min(1).max(50),
  withdrawal: z.strictObject({ method: text(500), url: address.optional() }),
  rights: z.strictObject({
    offered: z
      .array(z.enum(RIGHTS))
      .min(1)
      .default([...RIGHTS]),
    url: address.optional(),
    /** Whom a person may complain to. */
    authority: text(300).optional(),
  }),
  /** One a language; the first is what is shown to who asks for no language. */
  notices: z
    .array(z.strictObject({ language: languageSchema, version: text(50), text: text(20_000), url: address.optional() }))
    .min(1)
    .max(50),
});

export type OrganisationInput = z.input<typeof organisationSchema>;
export type Organisation = z.output<typeof organisationSchema>;
export type Notice = Organisation['notices'][number];

/** What was said from a moment on. */
export interface OrganisationVersion {
  /** From 1. */
  readonly version: number;
  readonly at: number;
  readonly said: Organisation;
}

/** The notice in a language, or in the same language of another region; undefined: there is none. */
export function noticeIn({ notices }: Organisation, language?: string): Notice | undefined {
  if (language === undefined) return notices[0];
  const wanted = language.toLowerCase();
  const [main] = wanted.split('-');
  return (
    notices.find((notice) => notice.language.toLowerCase() === wanted) ??
    notices.find((notice) => notice.language.toLowerCase().split('-')[0] === main)
  );
}
