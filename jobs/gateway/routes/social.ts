/** Owns the route that takes in ActivityStreams documents: activities become events, profiles people, named objects items. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { AppError } from '../../../shared/errors.ts';
import { activityStreams, recordsOf, type SocialRecord } from '../../../shared/sources/activitystreams/index.ts';
import type { BatchHandle } from '../../client/batch-handle.ts';
import { BATCH_RECORDS_MAX, type IngestionBatch } from '../../ingestion/contract.ts';
import { tenantOf } from '../authorise.ts';
import type { Tenants } from '../tenants.ts';
import { batchAnswerSchema, errorAnswers, keySchema, waitQuerySchema } from './answers.ts';
import { answerOf, RECORDS_BYTES_MAX } from './records.ts';

const TYPES = ['application/activity+json', 'application/ld+json'];

const socialAnswerSchema = z.object({
  people: batchAnswerSchema.optional(),
  items: batchAnswerSchema.optional(),
  events: batchAnswerSchema.optional(),
  /** What says nothing that is taken in, in order; at most the first 100. */
  refused: z.array(z.object({ code: z.string(), field: z.string(), reason: z.string() })),
});
type SocialAnswer = z.output<typeof socialAnswerSchema>;

const REFUSED_TOLD_MAX = 100;

interface Sorted {
  readonly people: object[];
  readonly items: object[];
  readonly events: object[];
  readonly refused: SocialAnswer['refused'];
}

function sorted(records: Iterable<SocialRecord>): Sorted {
  const all: Sorted = { people: [], items: [], events: [], refused: [] };
  let count = 0;
  for (const record of records) {
    if (++count > BATCH_RECORDS_MAX)
      throw new AppError('INPUT_INVALID', {
        message: `A document may hold at most ${BATCH_RECORDS_MAX} records.`,
        details: { issues: [{ path: [], message: `at most ${BATCH_RECORDS_MAX} records` }] },
      });
    if ('event' in record) all.events.push(record.event);
    else if ('person' in record) all.people.push(record.person);
    else if ('item' in record) all.items.push(record.item);
    else if (all.refused.length < REFUSED_TOLD_MAX) all.refused.push(record.refused);
  }
  return all;
}

export function registerSocial(plain: FastifyInstance, tenants: Tenants, now: () => number): void {
  const app = plain.withTypeProvider<ZodTypeProvider>();
  app.addContentTypeParser(TYPES, { parseAs: 'string' }, app.getDefaultJsonParser('error', 'error'));
  const take = async (request: FastifyRequest, waitMs: number, key: string | undefined): Promise<SocialAnswer> => {
    const { client } = tenants.get(tenantOf(request));
    const { refused, ...lists } = sorted(recordsOf(request.body, now()));
    const handles: { list: 'people' | 'items' | 'events'; handle: BatchHandle; records: number }[] = [];
    for (const list of ['people', 'items', 'events'] as const) {
      if (lists[list].length === 0) continue;
      const allow = list === 'events' ? { allowUnknownItems: true } : {};
      const batch = { source: activityStreams.name, [list]: lists[list], ...allow } as unknown as IngestionBatch;
      const handle = await client.ingestion.enqueue(batch, key === undefined ? {} : { key: `${key}.${list}` });
      handles.push({ list, handle, records: lists[list].length });
    }
    const answers = await Promise.all(
      handles.map(async ({ list, handle, records }) => [list, await answerOf(handle, records, waitMs)] as const),
    );
    return { ...Object.fromEntries(answers), refused };
  };
  app.route({
    method: 'POST',
    url: '/v1/activitystreams',
    bodyLimit: RECORDS_BYTES_MAX,
    config: { scope: 'events:write' },
    schema: {
      summary: 'Take in an ActivityStreams 2.0 document, or a collection of them',
      tags: ['records'],
      security: [{ key: [] }],
      consumes: ['application/json', ...TYPES],
      querystring: waitQuerySchema.extend({ key: keySchema.optional() }),
      body: z.unknown(),
      response: { 200: socialAnswerSchema, 202: socialAnswerSchema, ...errorAnswers },
    },
    handler: async (request, reply) => {
      const { wait, key } = request.query;
      const answer = await take(request, wait, key);
      const batches = [answer.people, answer.items, answer.events].filter((one) => one !== undefined);
      if (batches.length === 0)
        throw new AppError('INPUT_INVALID', {
          message: 'The document says nothing that is taken in.',
          details: { issues: answer.refused.map(({ field, reason }) => ({ path: field.split('.'), message: reason })) },
        });
      return reply.code(batches.every(({ state }) => state === 'done') ? 200 : 202).send(answer);
    },
  });
}
