/** Owns the route of the privacy budget: what of the period is spent, and what is left. It is set by the command line alone. */
import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { AppError } from '../../../shared/errors.ts';
import { budgetFacts } from '../../../shared/governance/differential-privacy/budget-facts.ts';
import type { Store } from '../../../shared/store/ports.ts';
import { tenantOf } from '../authorise.ts';
import { errorAnswers } from './answers.ts';

const factsSchema = z.object({
  rho: z.object({ total: z.number(), spent: z.number(), left: z.number() }),
  epsilon: z
    .object({ total: z.number(), spent: z.number() })
    .describe('What all releases of the period come to at this delta.'),
  delta: z.number(),
  periodDays: z.number(),
  periodEndsAt: z.int(),
});

export function registerBudget(plain: FastifyInstance, store: Store, now: () => number): void {
  plain.withTypeProvider<ZodTypeProvider>().route({
    method: 'GET',
    url: '/v1/privacy-budget',
    config: { scope: 'jobs:read' },
    schema: {
      tags: ['jobs'],
      security: [{ key: [] }],
      summary: 'What of the privacy budget is spent, and what is left',
      response: { 200: factsSchema, ...errorAnswers },
    },
    handler: async (request) => {
      const tenant = tenantOf(request);
      const state = await store.budgets.state(tenant, now());
      if (state === undefined) throw new AppError('BUDGET_NOT_SET', { details: { tenant } });
      return budgetFacts(state);
    },
  });
}
