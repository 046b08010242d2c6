/** Owns delivering one webhook: it is told at least once, with an id by which the receiver knows a repetition. */
import { hash } from 'node:crypto';
import { webhookDelivery } from '../../jobs/webhook-delivery/contract.ts';
import { defineProcessor } from '../runtime/processor.ts';
import { post } from './post.ts';

export default defineProcessor({
  contract: webhookDelivery,
  load: async (input, { store, tenant }) => ({ input, target: await store.webhooks.read(tenant, input.webhook) }),
  compute: async ({ input, target }, { tenant, runKey }) => {
    if (target === undefined) return undefined;
    const { webhook: _, state, endedAt, ...about } = input;
    const body = JSON.stringify({
      type: `run.${state}`,
      timestamp: new Date(endedAt).toISOString(),
      data: { tenant, state, ...about },
    });
    return { id: `msg_${hash('sha256', runKey).slice(0, 32)}`, url: target.webhook.url, secret: target.secret, body };
  },
  write: async (delivery, { clock, signal, webhookPrivate = false }) => {
    if (delivery === undefined) return { output: { delivered: false } };
    const status = await post({ ...delivery, nowMs: clock.now(), allowPrivate: webhookPrivate, signal });
    return { output: { delivered: true, status } };
  },
});
