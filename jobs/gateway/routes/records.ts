/** Owns the routes that take in records: events, items, people, consents. A bad record is reported, the good ones go in. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { consentSchema, eventSchema, itemSchema, personSchema } from '../../../shared/contract-kit/event.ts';
import { sourceNameSchema } from '../../../shared/contract-kit/names.ts';
import { AppError } from '../../../shared/errors.ts';
import type { BatchHandle } from '../../client/batch-handle.ts';
import { BATCH_RECORDS_MAX, type IngestionBatch, schemaNameSchema } from '../../ingestion/contract.ts';
import { tenantOf } from '../authorise.ts';
import type { Tenants } from '../tenants.ts';
import { batchAnswerSchema, errorAnswers, keySchema, waitQuerySchema } from './answers.ts';

export const RECORDS_BYTES_MAX = 16 * 1024 * 1024;

/** Records are judged one by one, so the route takes anything; the documentation shows what a good one looks like. */
function recordsLike(schema: z.ZodType) {
  const { $schema: _, ...shape } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return z.array(z.unknown().meta(shape)).min(1).max(BATCH_RECORDS_MAX);
}

type BatchAnswer = z.output<typeof batchAnswerSchema>;

/** What is known of the batch after waiting up to `waitMs` for its end. */
export async function answerOf(handle: BatchHandle, records: number, waitMs: number): Promise<BatchAnswer> {
  const names = { ids: [...handle.ids], runKeys: handle.parts.map(({ runKey }) => runKey) };
  const handedOver = records - handle.rejected.length;
  const soFar: BatchAnswer = { ...names, state: 'enqueued', accepted: handedOver, rejected: [...handle.rejected] };
  if (handle.parts.length === 0) return { ...soFar, state: 'done', duplicates: 0 };
  if (waitMs === 0) return soFar;
  try {
    return { ...names, state: 'done', ...(await handle.done({ timeoutMs: waitMs })) };
  } catch (thrown) {
    if (thrown instanceof AppError && thrown.code === 'WAIT_TIMEOUT') return soFar;
    throw thrown;
  }
}

const frame = { source: sourceNameSchema, key: keySchema.optional() };
const BODIES = {
  events: z.strictObject({
    ...frame,
    events: recordsLike(eventSchema),
    schema: schemaNameSchema.optional().describe('Version of the source’s own records; absent: canonical events.'),
    allowUnknownItems: z.boolean().optional(),
  }),
  items: z.strictObject({ ...frame, items: recordsLike(itemSchema) }),
  people: z.strictObject({ ...frame, people: recordsLike(personSchema) }),
  consents: z.strictObject({ ...frame, consents: recordsLike(consentSchema) }),
} as const;
type RecordList = keyof typeof BODIES;

const SUMMARIES: Readonly<Record<RecordList, string>> = {
  events: 'Take in a batch of events',
  items: 'Take in catalogue items',
  people: 'Take in people; what is said about them lies sealed in their envelopes',
  consents: 'Take in consents and withdrawals',
};

/** Who said what about people, or for them, is told each time, and not counted. */
const ABOUT_PEOPLE: ReadonlySet<RecordList> = new Set(['people', 'consents']);

export function registerRecords(plain: FastifyInstance, tenants: Tenants): void {
  const app = plain.withTypeProvider<ZodTypeProvider>();
  const take = async (
    request: FastifyRequest,
    list: RecordList,
    { key, ...batch }: { key?: string | undefined } & Readonly<Record<string, unknown>>,
    waitMs: number,
  ): Promise<BatchAnswer> => {
    const records = batch[list];
    const { client } = tenants.get(tenantOf(request));
    const handle = await client.ingestion.enqueue(batch as IngestionBatch, key === undefined ? {} : { key });
    return answerOf(handle, Array.isArray(records) ? records.length : 0, waitMs);
  };
  for (const list of Object.keys(BODIES) as RecordList[])
    app.route({
      method: 'POST',
      url: `/v1/${list}`,
      bodyLimit: RECORDS_BYTES_MAX,
      config: { scope: 'events:write', ...(ABOUT_PEOPLE.has(list) && { trail: 'each' }) },
      schema: {
        summary: SUMMARIES[list],
        tags: ['records'],
        security: [{ key: [] }],
        querystring: waitQuerySchema,
        body: BODIES[list],
        response: { 200: batchAnswerSchema, 202: batchAnswerSchema, ...errorAnswers },
      },
      handler: async (request, reply) => {
        const answer = await take(request, list, request.body, request.query.wait);
        return reply.code(answer.state === 'done' ? 200 : 202).send(answer);
      },
    });
}
