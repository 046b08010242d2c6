/**
 * Owns what web pages talk to: the script, its beacon and the 1x1 image. The key of a page is no secret, so it may do nothing but this, and
 * people go by ids that the script drew at random: who knows a page's key can speak for nobody else.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { AppError } from '../../../shared/errors.ts';
import { webPixel } from '../../../shared/sources/web-pixel/source.ts';
import type { Store } from '../../../shared/store/ports.ts';
import { tenantOf } from '../authorise.ts';
import { answerSchema, type SentAnswer, takeInAnswers } from '../answers.ts';
import { saidSchema, takeIn } from '../consented-events.ts';
import { PIXEL_GIF, pixelScript } from '../pixel/script.ts';
import type { Tenants } from '../tenants.ts';
import { errorAnswers } from './answers.ts';

const BEACON_BYTES_MAX = 64 * 1024;
const EVENTS_MAX = 100;
const SCRIPT_AGE_SECONDS = 3600;
/** An id as the script draws it. */
const userSchema = z.string().regex(/^px-[0-9a-f]{32}$/, 'is no id of the script');

const beaconSchema = z.strictObject({
  user: userSchema,
  consent: saidSchema,
  events: z.array(z.looseObject({})).max(EVENTS_MAX),
});
type Beacon = z.output<typeof beaconSchema>;

const keyQuery = { k: z.string().max(200).describe('The page’s key; it may do nothing else.') };

/** Global Privacy Control: the person has opted out before anybody asked. */
const hasOptedOut = ({ headers }: FastifyRequest): boolean => headers['sec-gpc'] === '1';

/** A page of any origin may load and call these; cookies are never wanted. */
const openToPages = (reply: FastifyReply): FastifyReply =>
  reply
    .header('access-control-allow-origin', '*')
    .header('cross-origin-resource-policy', 'cross-origin')
    .header('cache-control', 'no-store');

/** Whom an event is about is said by the frame alone. */
const eventOf = (user: string, { target: _target, ...event }: Readonly<Record<string, unknown>>) => ({
  ...event,
  user,
});

const isAnswer = ({ type }: Readonly<Record<string, unknown>>): boolean => type === 'answer';

/** An answer travels among the events, with the id and the moment that the script gives to each. */
function answerOf({ type: _type, id: _id, occurredAt: at, ...answer }: Readonly<Record<string, unknown>>): SentAnswer {
  const parsed = answerSchema.safeParse({ ...answer, at });
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(({ path, message }) => ({ path, message }));
  throw new AppError('INPUT_INVALID', { message: 'An answer is malformed.', details: { issues } });
}

function readEvent(text: string): Record<string, unknown> {
  try {
    return z.looseObject({}).parse(JSON.parse(text));
  } catch (cause) {
    const issues = [{ path: ['e'], message: 'must be a JSON object' }];
    throw new AppError('INPUT_INVALID', { message: 'The event is not a JSON object.', details: { issues }, cause });
  }
}

export function registerPixel(plain: FastifyInstance, store: Store, tenants: Tenants, now: () => number): void {
  const app = plain.withTypeProvider<ZodTypeProvider>();
  const script = pixelScript();
  // Beacons are plain text, so that browsers ask no permission first.
  app.removeContentTypeParser(['text/plain']);
  app.addContentTypeParser('text/plain', { parseAs: 'string' }, app.getDefaultJsonParser('error', 'error'));
  app.addHook('onRequest', async (_request, reply) => void openToPages(reply));
  const receive = async (request: FastifyRequest, { user, consent, events }: Beacon): Promise<void> => {
    if (hasOptedOut(request)) return;
    const tenant = tenantOf(request);
    const answers = events.filter(isAnswer).map(answerOf);
    const acts = events.filter((event) => !isAnswer(event)).map((event) => eventOf(user, event));
    const said = { source: webPixel.name, user, consent, events: acts };
    await takeIn(tenants.get(tenant).client, said, now());
    await takeInAnswers(store, tenant, { user, source: webPixel.name, answers }, now());
  };

  app.get(
    '/v1/pixel.js',
    { schema: { tags: ['pixel'], summary: 'The script for web pages, under 3 KB; give it the page’s key as ?k=' } },
    (_request, reply) =>
      reply
        .header('cache-control', `public, max-age=${SCRIPT_AGE_SECONDS}`)
        .type('text/javascript; charset=utf-8')
        .send(script),
  );
  app.route({
    method: 'POST',
    url: '/v1/pixel',
    bodyLimit: BEACON_BYTES_MAX,
    config: { scope: 'pixel:write', keyInQuery: true },
    schema: {
      tags: ['pixel'],
      summary: 'Take in what the script sends; nothing under Sec-GPC',
      consumes: ['text/plain', 'application/json'],
      querystring: z.object(keyQuery),
      body: beaconSchema,
      response: { 204: z.void(), ...errorAnswers },
    },
    handler: async (request, reply) => {
      await receive(request, request.body);
      return reply.code(204).send(undefined);
    },
  });
  app.route({
    method: 'GET',
    url: '/v1/pixel.gif',
    config: { scope: 'pixel:write', keyInQuery: true },
    schema: {
      tags: ['pixel'],
      summary: 'The 1x1 image for pages without the script: one event of somebody who has consented before',
      querystring: z.object({ ...keyQuery, u: userSchema, e: z.string().max(4_000).describe('The event as JSON') }),
      response: errorAnswers,
    },
    handler: async (request, reply) => {
      const { u: user, e } = request.query;
      await receive(request, { user, consent: undefined, events: [readEvent(e)] });
      // Only errors have a schema: the image goes as it is.
      return reply.type('image/gif').send(PIXEL_GIF as never);
    },
  });
}
