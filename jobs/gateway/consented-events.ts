/** Owns what apps and pages that speak for one person send: what the person said about consent, then what they did. */
import { z } from 'zod';
import { purposeSchema } from '../../shared/contract-kit/purposes.ts';
import type { Millrace } from '../client/millrace.ts';
import type { IngestionBatch } from '../ingestion/contract.ts';

/** Longest that events wait for the consent that came with them; then both are asked for again. */
const CONSENT_MS_MAX = 5_000;

/** What the person said last, until it was taken in once. */
export const saidSchema = z
  .strictObject({
    purposes: z.array(purposeSchema).min(1).max(10),
    state: z.enum(['given', 'withdrawn']),
    at: z.int().min(0),
    receipt: z.string().min(1).max(200).optional(),
  })
  .optional();

export interface ConsentedEvents {
  readonly source: string;
  readonly user: string;
  readonly consent?: z.output<typeof saidSchema>;
  readonly events: readonly Readonly<Record<string, unknown>>[];
}

/** Consent first: events of a person who has given none are refused. Throws WAIT_TIMEOUT when it is not recorded in time. */
export async function takeIn(client: Millrace, of: ConsentedEvents, now: number): Promise<void> {
  const { source, user, consent, events } = of;
  if (consent !== undefined) {
    const { receipt, at, ...said } = consent;
    const record = { user, source, ...said, at: Math.min(at, now), ...(receipt === undefined ? {} : { receipt }) };
    const told = await client.ingestion.enqueue({ source, consents: [record] });
    // Also without events: once it is answered the consent is recorded, so that a withdrawal that follows cannot come before it.
    if (events.length > 0 || said.state === 'given') await told.done({ timeoutMs: CONSENT_MS_MAX });
  }
  if (events.length === 0) return;
  await client.ingestion.enqueue({ source, events, allowUnknownItems: true } as unknown as IngestionBatch);
}
