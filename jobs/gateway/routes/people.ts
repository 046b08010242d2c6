/** Owns the routes for what people may ask of their data: to see it, to be erased, to come back; and for the reports of erasures. */
import { randomUUID } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { runKeyOf } from '../../../shared/contract-kit/names.ts';
import { AppError } from '../../../shared/errors.ts';
import { hexOf } from '../../../shared/governance/keys.ts';
import { personData } from '../../../shared/store/person-data.ts';
import type { Store } from '../../../shared/store/ports.ts';
import { GOVERNANCE_ACTS } from '../../governance/contract.ts';
import type { InputOf, OutputOf } from '../../registry.ts';
import { tenantOf } from '../authorise.ts';
import type { Tenants } from '../tenants.ts';
import { enqueuedSchema, errorAnswers, idSchema, jobAnswer, keySchema } from './answers.ts';
import { Jobs } from './jobs.ts';

const LISTED_MAX = 100;
const userSchema = z.string().min(1).max(200).describe('The id that the sources use.');
const params = z.object({ user: userSchema });
const key = keySchema.optional();

const signedReportSchema = z.object({
  report: z.object({
    id: z.string(),
    tenant: z.string(),
    person: z.string().describe('Keyed hash of the pseudonym, as on the list of the erased.'),
    requestedAt: z.number(),
    finishedAt: z.number(),
    consentEpoch: z.int(),
    artefacts: z.array(z.object({ artefact: z.string(), checked: z.int(), removed: z.int(), left: z.int() })),
    versions: z.array(z.string()),
    retraining: z.string().optional(),
  }),
  signature: z.string().describe('Ed25519 over the canonical JSON of the report, base64.'),
  publicKey: z.string(),
});

const requestedSchema = enqueuedSchema.extend({
  request: z.string().describe('Name of the request: GET .../requests/:request tells how far it is.'),
});

const requestAnswer = jobAnswer(z.unknown())
  .omit({ id: true, kind: true, output: true })
  .extend({ act: z.enum(GOVERNANCE_ACTS).optional(), report: signedReportSchema.optional() });

/** What is held about a person is whatever it is: the shape of an envelope is the caller's own. */
const heldSchema = z.object({ user: z.string(), isErased: z.boolean() }).loose();

export function registerPeople(plain: FastifyInstance, store: Store, tenants: Tenants): void {
  const app = plain.withTypeProvider<ZodTypeProvider>();
  const about = { tags: ['people'], security: [{ key: [] }] };
  app.route({
    method: 'GET',
    url: '/v1/people/:user',
    config: { scope: 'people:read', me: true },
    schema: {
      ...about,
      summary: 'Everything that is held about a person',
      params,
      response: { 200: heldSchema, ...errorAnswers },
    },
    handler: async (request) => {
      const held = await personData(store, tenantOf(request), request.params.user);
      return { ...held };
    },
  });
  registerActs(plain, store, tenants);
  registerProgress(plain, store, new Jobs(store, tenants));
  registerReports(plain, store);
}

/**
 * Under whose subject key a request goes, so that nobody can ask for another person's: a pseudonym in a hash. A key of the caller is one of that person's.
 */
const onceOf = (store: Store, tenant: string, user: string, request: string): string =>
  `${hexOf(store.people.keys(tenant, [user])[0]!)}.${request}`;

/** Each is a job of kind `governance`; how far it is, GET .../requests/:request tells. */
function registerActs(plain: FastifyInstance, store: Store, tenants: Tenants): void {
  const app = plain.withTypeProvider<ZodTypeProvider>();
  const enqueue = async (
    request: FastifyRequest,
    input: InputOf<'governance'> & { readonly user: string },
    given: string | undefined,
  ) => {
    const tenant = tenantOf(request);
    const name = given ?? randomUUID();
    const key = onceOf(store, tenant, input.user, name);
    const { id, runKey } = await tenants.get(tenant).client.job('governance').enqueue(input, { key });
    return { id, runKey, request: name };
  };
  const config = { scope: 'people:write' } as const;
  const schema = { tags: ['people'], security: [{ key: [] }], params };
  const response = { 202: requestedSchema, ...errorAnswers };
  const keyed = z.strictObject({ key }).nullish();
  app.route({
    method: 'POST',
    url: '/v1/people/:user/erasure',
    config: { ...config, me: true },
    schema: { ...schema, summary: 'Erase a person from everything', body: keyed, response },
    handler: async (request, reply) => {
      const { user } = request.params;
      return reply.code(202).send(await enqueue(request, { act: 'erase', user }, request.body?.key));
    },
  });
  app.route({
    method: 'POST',
    url: '/v1/people/:user/readmission',
    config,
    schema: {
      ...schema,
      summary: 'Take back somebody who was erased; they are asked for consent anew',
      body: keyed,
      response,
    },
    handler: async (request, reply) => {
      const { user } = request.params;
      return reply.code(202).send(await enqueue(request, { act: 'readmit', user }, request.body?.key));
    },
  });
}

function registerProgress(plain: FastifyInstance, store: Store, jobs: Jobs): void {
  const app = plain.withTypeProvider<ZodTypeProvider>();
  app.route({
    method: 'GET',
    url: '/v1/people/:user/requests/:request',
    config: { scope: 'people:read', me: true },
    schema: {
      tags: ['people'],
      security: [{ key: [] }],
      summary: 'How far an erasure or a readmission of a person is; once it has ended, with the signed report',
      params: params.extend({ request: keySchema.describe('`request` of the answer that asked for it.') }),
      response: { 200: requestAnswer, ...errorAnswers },
    },
    handler: async (request) => {
      const tenant = tenantOf(request);
      const { user, request: name } = request.params;
      const runKey = runKeyOf(tenant, 'governance', onceOf(store, tenant, user, name));
      const { id: _id, kind: _kind, output, ...state } = await jobs.read(tenant, 'governance', runKey);
      const { act, report: id } = (output ?? {}) as Partial<OutputOf<'governance'>>;
      const report = id === undefined ? undefined : await store.erasures.read(tenant, id);
      return { ...state, ...(act && { act }), ...(report && { report: plainReport(report) }) };
    },
  });
}

function registerReports(plain: FastifyInstance, store: Store): void {
  const app = plain.withTypeProvider<ZodTypeProvider>();
  const config = { scope: 'people:read' } as const;
  const schema = { tags: ['people'], security: [{ key: [] }] };
  app.route({
    method: 'GET',
    url: '/v1/erasures',
    config,
    schema: {
      ...schema,
      summary: 'Signed reports of erasures, newest first',
      querystring: z.object({ limit: z.coerce.number().int().min(1).max(LISTED_MAX).default(20) }),
      response: { 200: z.object({ erasures: z.array(signedReportSchema) }), ...errorAnswers },
    },
    handler: async (request) => ({
      erasures: (await store.erasures.list(tenantOf(request), request.query.limit)).map(plainReport),
    }),
  });
  app.route({
    method: 'GET',
    url: '/v1/erasures/:id',
    config,
    schema: {
      ...schema,
      summary: 'The signed report of one erasure: every place that was looked at',
      params: z.object({ id: idSchema }),
      response: { 200: signedReportSchema, ...errorAnswers },
    },
    handler: async (request) => {
      const { id } = request.params;
      const found = await store.erasures.read(tenantOf(request), id);
      if (found !== undefined) return plainReport(found);
      throw new AppError('NOT_FOUND', { message: `There is no report ${id}.`, details: { id } });
    },
  });
}

type Signed = NonNullable<Awaited<ReturnType<Store['erasures']['read']>>>;

/** As the schema has it: its arrays are the route's own. */
const plainReport = ({ report, ...signed }: Signed): z.input<typeof signedReportSchema> => ({
  ...signed,
  report: { ...report, artefacts: [...report.artefacts], versions: [...report.versions] },
});
