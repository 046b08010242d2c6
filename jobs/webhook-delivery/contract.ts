/** Owns what may be asked of webhook-delivery: to tell one address of one ended run, or the address for lineage of a run's events. The runtime asks for it; callers do not. */
import { z } from 'zod';
import { defineJob } from '../../shared/contract-kit/define-job.ts';

export const WEBHOOK_STATES = ['committed', 'cancelled', 'expired', 'dead-lettered'] as const;

const endOfRun = z.strictObject({
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
});

const eventsOfRun = z.strictObject({
  /** Events of a run as OpenLineage, for the one address that is configured: its start alone, or all there are. */
  lineage: z.strictObject({ runId: z.string().min(1).max(100), upTo: z.enum(['start', 'end']) }),
});

export const webhookDelivery = defineJob({
  kind: 'webhook-delivery',
  version: 2,
  // What was asked in version 1 is asked the same way.
  upcasters: { 1: { input: (old) => old } },
  title:
    'Tells an address that was registered of a run that has ended, or the address for lineage of the events of a run.',
  input: z.union([endOfRun, eventsOfRun]),
  output: z.object({
    /** False: the registration was removed meanwhile, or there was nothing left to send. */
    delivered: z.boolean(),
    status: z.int().optional(),
  }),
  personal: false,
  effect: 'record',
  purposes: [],
  // 5 s, doubled each time: ten attempts take about three quarters of an hour.
  limits: {
    attemptsMax: 10,
    backoffMs: 5_000,
    durationMsMax: 60_000,
    concurrency: 8,
    inputBytesMax: 8 * 1024,
    backlogMax: 20_000,
  },
});
