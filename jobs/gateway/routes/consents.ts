/** Owns the routes of consents: what a person said and holds receipts of, giving and withdrawing, the purposes that there are, and checking a receipt. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { isGenuine, signedReceiptSchema } from '../../../shared/governance/consent-receipt.ts';
import { organisationSchema } from '../../../shared/governance/organisation.ts';
import { AppError } from '../../../shared/errors.ts';
import type { Store } from '../../../shared/store/ports.ts';
import {
  consentGivenSchema,
  consentsOfPersonSchema,
  giveConsentSchema,
  purposesSchema,
  withdrawConsentSchema,
  withdrawnSchema,
} from '../../client/consents.ts';
import { tenantOf } from '../authorise.ts';
import { type ConsentDesk, consentsOf, giveConsent, purposesToday, withdrawConsent } from '../consents.ts';
import type { Tenants } from '../tenants.ts';
import { errorAnswers } from './answers.ts';

const ORGANISATION_BYTES_MAX = 2 * 1024 * 1024;
const VERSIONS_MAX = 100;
const params = z.object({ user: z.string().min(1).max(200).describe('The id that the sources use.') });
const about = { tags: ['people'], security: [{ key: [] }] };

const organisationVersionSchema = z.object({ version: z.int(), at: z.number(), said: organisationSchema });

export function registerConsents(plain: FastifyInstance, store: Store, tenants: Tenants, now: () => number): void {
  const app = plain.withTypeProvider<ZodTypeProvider>();
  const desk = (request: FastifyRequest): ConsentDesk => ({
    store,
    tenant: tenantOf(request),
    now,
    by: request.person === null ? 'service' : 'principal',
  });
  app.route({
    method: 'GET',
    url: '/v1/people/:user/consents',
    config: { scope: 'people:read', me: true },
    schema: {
      ...about,
      summary: 'What a person consented to: what stands, what was said, and their receipts',
      params,
      response: { 200: consentsOfPersonSchema, ...errorAnswers },
    },
    handler: (request) => consentsOf(desk(request), request.params.user),
  });
  app.route({
    method: 'POST',
    url: '/v1/people/:user/consents',
    config: { scope: 'people:write', me: true },
    schema: {
      ...about,
      summary: 'Give consent; holds at once, and the answer is the person’s signed receipt (ISO/IEC TS 27560)',
      params,
      body: giveConsentSchema,
      response: { 201: consentGivenSchema, ...errorAnswers },
    },
    handler: async (request, reply) =>
      reply.code(201).send(await giveConsent(desk(request), request.params.user, request.body)),
  });
  app.route({
    method: 'POST',
    url: '/v1/people/:user/withdrawals',
    config: { scope: 'people:write', me: true },
    schema: {
      ...about,
      summary: 'Stop purposes, or opt out of a source, at once; what nothing justifies any more is removed',
      params,
      body: withdrawConsentSchema,
      response: { 202: withdrawnSchema, ...errorAnswers },
    },
    handler: async (request, reply) => {
      const { client } = tenants.get(tenantOf(request));
      return reply.code(202).send(await withdrawConsent(desk(request), client, request.params.user, request.body));
    },
  });
  registerOpen(plain, store);
  registerOrganisation(plain, store);
}

/** For everybody: they tell nothing of anybody. */
function registerOpen(plain: FastifyInstance, store: Store): void {
  const app = plain.withTypeProvider<ZodTypeProvider>();
  app.get(
    '/v1/purposes',
    { schema: { tags: ['people'], summary: 'What there is to consent to', response: { 200: purposesSchema } } },
    async () => purposesToday(),
  );
  app.route({
    method: 'POST',
    url: '/v1/receipts/verify',
    schema: {
      tags: ['people'],
      summary: 'Whether a receipt is as this deployment signed it',
      body: signedReceiptSchema,
      response: { 200: z.object({ genuine: z.boolean(), publicKey: z.string() }), ...errorAnswers },
    },
    handler: async (request) => {
      const publicKey = store.receipts.publicKey();
      return { genuine: isGenuine(request.body, publicKey), publicKey };
    },
  });
}

function registerOrganisation(plain: FastifyInstance, store: Store): void {
  const app = plain.withTypeProvider<ZodTypeProvider>();
  app.route({
    method: 'GET',
    url: '/v1/organisation',
    config: { scope: 'people:read' },
    schema: {
      ...about,
      summary: 'What this deployment says of itself to people: controller, notices, recipients, rights; newest first',
      querystring: z.object({ limit: z.coerce.number().int().min(1).max(VERSIONS_MAX).default(1) }),
      response: { 200: z.object({ versions: z.array(organisationVersionSchema) }), ...errorAnswers },
    },
    handler: async (request) => {
      const versions = await store.organisations.history(tenantOf(request), request.query.limit);
      if (versions.length === 0) throw new AppError('NOTICE_MISSING');
      return { versions };
    },
  });
  app.route({
    method: 'PUT',
    url: '/v1/organisation',
    bodyLimit: ORGANISATION_BYTES_MAX,
    config: { scope: 'people:write' },
    schema: {
      ...about,
      summary: 'Say it anew: a version more, which consents from now on refer to',
      body: organisationSchema,
      response: { 200: organisationVersionSchema, ...errorAnswers },
    },
    handler: (request) => store.organisations.set(tenantOf(request), request.body),
  });
}
