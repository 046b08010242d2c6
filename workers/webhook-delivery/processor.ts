/** Owns delivering one webhook, or the events of one run as OpenLineage: told at least once, with an id by which the receiver knows a repetition. */
import { hash } from 'node:crypto';
import { webhookDelivery } from '../../jobs/webhook-delivery/contract.ts';
import type { ContractParsed } from '../../shared/contract-kit/define-job.ts';
import { defineProcessor, type RunContext } from '../runtime/processor.ts';
import { bodiesOf } from './lineage.ts';
import { type Delivery, post, signed } from './post.ts';

type Input = ContractParsed<typeof webhookDelivery>;
type Prepared = Omit<Delivery, 'signal'>;

async function ofWebhook(
  input: Exclude<Input, { readonly lineage: object }>,
  { clock, runKey, store, tenant, webhookPrivate: allowPrivate = false }: RunContext,
): Promise<Prepared[]> {
  const target = await store.webhooks.read(tenant, input.webhook);
  if (target === undefined) return [];
  const { webhook: _, state, endedAt, ...about } = input;
  const body = JSON.stringify({
    type: `run.${state}`,
    timestamp: new Date(endedAt).toISOString(),
    data: { tenant, state, ...about },
  });
  const id = `msg_${hash('sha256', runKey).slice(0, 32)}`;
  const headers = signed(target.secret, { id, body, nowMs: clock.now() });
  return [{ url: target.webhook.url, body, headers, allowPrivate }];
}

async function ofLineage(
  { runId, upTo }: Extract<Input, { readonly lineage: object }>['lineage'],
  { openLineage, runKey, store, tenant }: RunContext,
): Promise<Prepared[]> {
  if (openLineage === undefined) return []; // the address was taken out of the configuration meanwhile
  const { token, url } = openLineage;
  const bodies = await bodiesOf(store, { tenant, runId, upTo }, runKey);
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  // Who configures it is who runs the house: it may lie inside.
  return bodies.map((body) => ({ url, body, headers, allowPrivate: true }));
}

export default defineProcessor({
  contract: webhookDelivery,
  load: (input: Input, context: RunContext) =>
    'lineage' in input ? ofLineage(input.lineage, context) : ofWebhook(input, context),
  compute: async (deliveries: readonly Prepared[]) => deliveries,
  // One after the other: what comes later waits for what comes first.
  write: async (deliveries, { signal }) => {
    let status: number | undefined;
    for (const delivery of deliveries) status = await post({ ...delivery, signal });
    return { output: status === undefined ? { delivered: false } : { delivered: true, status } };
  },
});
