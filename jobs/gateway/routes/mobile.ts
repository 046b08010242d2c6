/**
 * Owns what mobile apps talk to: the SDK, and what it sends. Places become cells and windows of motion figures here, before anything is sealed,
 * queued or written; bodies are never logged. The key of an app is no secret, so it may do nothing else, and people go by ids that the SDK drew.
 */
import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { actsSchema, deviceSchema, eventOfAct } from '../../../shared/sources/mobile/payload.ts';
import { mobile } from '../../../shared/sources/mobile/source.ts';
import type { Store } from '../../../shared/store/ports.ts';
import { tenantOf } from '../authorise.ts';
import { ANSWERS_MAX, answerSchema, takeInAnswers } from '../answers.ts';
import { saidSchema, takeIn } from '../consented-events.ts';
import { mobileSdk } from '../mobile/script.ts';
import type { Tenants } from '../tenants.ts';
import { errorAnswers } from './answers.ts';

/** Some windows of motion: 1,000 samples of three axes are about 20 KB. */
const BODY_BYTES_MAX = 512 * 1024;
const SDK_AGE_SECONDS = 3600;

const payloadSchema = z.strictObject({
  user: z.string().regex(/^mb-[0-9a-f]{32}$/, 'is no id of the SDK'),
  device: deviceSchema,
  consent: saidSchema,
  acts: actsSchema,
  answers: z
    .array(answerSchema)
    .max(ANSWERS_MAX)
    .default([])
    .describe('Randomised on the device; never the truth itself.'),
});

export function registerMobile(plain: FastifyInstance, store: Store, tenants: Tenants, now: () => number): void {
  const app = plain.withTypeProvider<ZodTypeProvider>();
  const sdk = mobileSdk();
  app.get(
    '/v1/mobile.js',
    { schema: { tags: ['pixel'], summary: 'The SDK for apps: one script without dependencies' } },
    (_request, reply) =>
      reply
        .header('cache-control', `public, max-age=${SDK_AGE_SECONDS}`)
        .type('text/javascript; charset=utf-8')
        .send(sdk),
  );
  app.route({
    method: 'POST',
    url: '/v1/mobile',
    bodyLimit: BODY_BYTES_MAX,
    config: { scope: 'mobile:write' },
    schema: {
      tags: ['pixel'],
      summary: 'Take in what the SDK sends: places are made coarse and motion summarised on arrival',
      security: [{ key: [] }],
      body: payloadSchema,
      response: { 204: z.void(), ...errorAnswers },
    },
    handler: async (request, reply) => {
      const { user, device, consent, acts, answers } = request.body;
      const events = acts.map((act) => eventOfAct(user, device, act));
      const tenant = tenantOf(request);
      const said = { source: mobile.name, user, consent, events };
      await takeIn(tenants.get(tenant).client, said, now());
      await takeInAnswers(store, tenant, { user, source: mobile.name, answers }, now());
      return reply.code(204).send(undefined);
    },
  });
}
