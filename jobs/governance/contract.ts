/** Owns what people may ask of their data: to be erased, to withdraw purposes, to come back. */
import { z } from 'zod';
import { defineJob } from '../../shared/contract-kit/define-job.ts';
import { externalId, timestampSchema } from '../../shared/contract-kit/event.ts';
import { sourceNameSchema } from '../../shared/contract-kit/names.ts';
import { PURPOSES, purposeSchema } from '../../shared/contract-kit/purposes.ts';

/** Stands for the person in an input once they are erased; nobody is called so. */
export const NOBODY_LEFT = '(erased)';

export const GOVERNANCE_ACTS = ['erase', 'withdraw', 'readmit', 'settle'] as const;

const RUN_KEY_CHARS_MAX = 300;

export const governance = defineJob({
  kind: 'governance',
  version: 2,
  title: 'Carries out what people ask of their data: erases them, stops purposes, takes them back.',
  input: z.discriminatedUnion('act', [
    /** Takes the person out of everything, for good: nothing about them goes in until they come back. */
    z.strictObject({ act: z.literal('erase'), user: externalId }),
    /** Stops purposes; what no purpose that is left justifies is removed. Of one source it is an opt-out of that source. */
    z.strictObject({
      act: z.literal('withdraw'),
      user: externalId,
      purposes: z
        .array(purposeSchema)
        .min(1)
        .max(PURPOSES.length)
        .default([...PURPOSES]),
      source: z.union([sourceNameSchema, z.literal('*')]).default('*'),
      /** When the person said so, ms since 1970; absent: when it is carried out. */
      at: timestampSchema.optional(),
    }),
    /** Takes somebody who was erased off the list; they are asked for every purpose anew. */
    z.strictObject({ act: z.literal('readmit'), user: externalId }),
    /** Carries out the withdrawals that an ingestion run recorded; nobody is named here. */
    z.strictObject({ act: z.literal('settle'), saidBy: z.string().min(1).max(RUN_KEY_CHARS_MAX) }),
  ]),
  output: z.object({
    act: z.enum(GOVERNANCE_ACTS),
    /** Epoch of the consent log from which on it holds. */
    consentEpoch: z.int(),
    /** Of `erase`: the id of the signed report. */
    report: z.string().optional(),
    /** Events that were removed. */
    events: z.int().optional(),
    /** Versions that can be read no more, since the person's data went into them. */
    versions: z.int().optional(),
    /** Inputs of jobs, waiting or ended, that were rewritten. */
    payloads: z.int().optional(),
  }),
  personal: true,
  effect: 'dataset',
  purposes: [],
  // What could be asked before can be asked still.
  upcasters: { 1: { input: (old) => old } },
  limits: { durationMsMax: 6 * 3600_000, heartbeatMsMax: 30 * 60_000, attemptsMax: 20, memoryMbMax: 1_024 },
});
