/**
 * Owns the routes of one party of secure sums: each party is a gateway of its own, run by somebody else. People (or their clients) send it their share; who
 * coordinates asks all parties who has given, tells them whom to add up, and combines their sums.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { PARTIES_MAX } from '../../../shared/contract-kit/secure-sum.ts';
import { CONTRIBUTORS_MAX, SumParty } from '../../../shared/governance/secure-sum/party.ts';
import type { Store } from '../../../shared/store/ports.ts';
import { releaseNameSchema } from '../../private-statistics/contract.ts';
import { tenantOf } from '../authorise.ts';
import { errorAnswers } from './answers.ts';

const BODY_BYTES_MAX = 2 * 1024 * 1024;
const params = z.object({ round: releaseNameSchema });
const termsSchema = z.strictObject({
  series: releaseNameSchema.describe('Rounds that ask the same of people.'),
  parties: z.int().min(2).max(PARTIES_MAX),
  threshold: z
    .int()
    .min(2)
    .max(PARTIES_MAX)
    .describe('As many as there are parties: additive shares; fewer: Shamir’s.'),
  party: z.int().min(1).max(PARTIES_MAX).describe('Number of this party.'),
  most: z.int().min(1).max(1e12),
  cohortMin: z.int().min(2).max(CONTRIBUTORS_MAX).default(10),
});
/** Whole numbers of 61 bits do not fit into JSON's. */
const shareSchema = z
  .string()
  .max(20)
  .regex(/^(0|[1-9]\d*)$/, 'a whole number, as text');

export function registerSums(plain: FastifyInstance, store: Store, now: () => number): void {
  const app = plain.withTypeProvider<ZodTypeProvider>();
  const party = (request: FastifyRequest): SumParty => new SumParty(store, tenantOf(request));
  const about = { tags: ['sums'], security: [{ key: [] }], params };
  app.route({
    method: 'PUT',
    url: '/v1/sums/:round',
    config: { scope: 'sums:run' },
    schema: {
      ...about,
      summary: 'Open a round of a secure sum at this party',
      body: termsSchema,
      response: { 200: termsSchema.extend({ round: z.string() }), ...errorAnswers },
    },
    handler: async (request) => {
      const {
        agreed: _,
        cleared: _cleared,
        openedAt: _at,
        ...terms
      } = await party(request).open({
        ...request.body,
        round: request.params.round,
        openedAt: now(),
      });
      return terms;
    },
  });
  app.route({
    method: 'POST',
    url: '/v1/sums/:round/shares',
    config: { scope: 'sums:give' },
    schema: {
      ...about,
      summary: 'Give this party its share of a value; one a person and round',
      body: z.strictObject({ contributor: releaseNameSchema, share: shareSchema }),
      response: { 204: z.void(), ...errorAnswers },
    },
    handler: async (request, reply) => {
      const { contributor, share } = request.body;
      await party(request).give(request.params.round, contributor, BigInt(share));
      return reply.code(204).send(undefined);
    },
  });
  app.route({
    method: 'GET',
    url: '/v1/sums/:round/contributors',
    config: { scope: 'sums:run' },
    schema: {
      ...about,
      summary: 'Who has given this party a share',
      response: { 200: z.object({ contributors: z.array(z.string()) }), ...errorAnswers },
    },
    handler: async (request) => ({ contributors: await party(request).contributors(request.params.round) }),
  });
  app.route({
    method: 'POST',
    url: '/v1/sums/:round/sum',
    bodyLimit: BODY_BYTES_MAX,
    config: { scope: 'sums:run' },
    schema: {
      ...about,
      summary: 'This party’s sum over the people that all parties agreed on; fixed once',
      body: z.strictObject({ contributors: z.array(releaseNameSchema).min(1).max(CONTRIBUTORS_MAX) }),
      response: {
        200: z.object({ round: z.string(), party: z.int(), people: z.int(), sum: z.string() }),
        ...errorAnswers,
      },
    },
    handler: async (request) => {
      const { sum, ...answer } = await party(request).add(request.params.round, request.body.contributors);
      return { ...answer, sum: String(sum) };
    },
  });
}
