/** Owns what may be asked of webhook-delivery: to tell one address of one ended run. The runtime asks for it; callers do not. */
import { z } from 'zod';
import { defineJob } from '../../shared/contract-kit/define-job.ts';

export const WEBHOOK_STATES = ['committed', 'cancelled', 'expired', 'dead-lettered'] as const;

export const webhookDelivery = defineJob({
  kind: 'webhook-delivery',
  version: 1,
  title: 'Tells an address that was registered of a run that has ended.',
  input: z.strictObject({
    /** Id of the registration. */
    webhook: z.string(),
    runKey: z.string(),
    kind: z.string(),
    state: z.enum(WEBHOOK_STATES),
    endedAt: z.number(),
    asOf: z.int(),
    /** Version that the run made. */
    version: z.string().optional(),
    /** Code of the error it ended with. */
    code: z.string().optional(),
    step: z.object({ run: z.string(), step: z.string(), partition: z.string().optional() }).optional(),
  }),
  output: z.object({
    /** False: the registration was removed meanwhile. */
    delivered: z.boolean(),
    status: z.int().optional(),
  }),
  personal: false,
  effect: 'record',
  purposes: [],
  // 5 s, doubled each time: ten attempts take about three quarters of an hour.
  limits: { attemptsMax: 10, backoffMs: 5_000, durationMsMax: 60_000, concurrency: 8, inputBytesMax: 8 * 1024 },
});
