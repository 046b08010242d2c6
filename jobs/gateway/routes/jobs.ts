/**
 * Owns the routes for jobs of every kind, for callers in other languages: enqueue, read, cancel. Each kind has its own
 * documented input and output, made from its contract.
 */
import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { jobIdOf } from '../../../shared/contract-kit/names.ts';
import { readOutput } from '../../../shared/contract-kit/versions.ts';
import { AppError } from '../../../shared/errors.ts';
import type { RunState, Store } from '../../../shared/store/ports.ts';
import { errorOfFailure, errorOfReason, isCancelled } from '../../client/failure.ts';
import { KindClient } from '../../client/job-client.ts';
import { parseOutput } from '../../client/job-handle.ts';
import type { JobState } from '../../client/transport.ts';
import { CONTRACTS, contractOf, type InputOf, JOB_KINDS, type JobKind } from '../../registry.ts';
import { tenantOf } from '../authorise.ts';
import type { Tenants } from '../tenants.ts';
import { enqueuedSchema, errorAnswers, idSchema, jobAnswer, keySchema, progressSchema } from './answers.ts';

/** The input of a contract, at most 16 MiB, and the frame around it. */
export const JOB_BYTES_MAX = 16 * 1024 * 1024 + 64 * 1024;

/** What outsiders may enqueue of a kind; absent: nothing. */
const INPUTS = {
  ...CONTRACTS,
  // Batches have routes of their own, which report records one by one.
  ingestion: { input: z.strictObject({ compact: z.strictObject({ asOf: z.int().optional() }) }) },
  // Runs start at /v1/pipelines; publishing is for the last step of a run only.
  pipeline: undefined,
  // What people ask of their data has routes and scopes of its own.
  governance: undefined,
  // The runtime tells of ended runs.
  'webhook-delivery': undefined,
} as const;

const jobParams = z.object({ id: idSchema.describe('Id or run key of the job.') });

const STATE_OF_RUN: Readonly<Record<RunState, JobState>> = {
  running: 'active',
  committed: 'completed',
  cancelled: 'cancelled',
  expired: 'failed',
  'dead-lettered': 'failed',
};

const notFound = (kind: string, id: string): AppError =>
  new AppError('NOT_FOUND', { message: `There is no ${kind} job ${id} (any more).`, details: { kind, id } });

interface JobAnswer {
  id: string;
  runKey: string;
  kind: string;
  state: JobState;
  progress?: z.output<typeof progressSchema>;
  output?: unknown;
  error?: { code: string; message: string };
}

export class Jobs {
  readonly #store: Store;
  readonly #tenants: Tenants;

  constructor(store: Store, tenants: Tenants) {
    this.#store = store;
    this.#tenants = tenants;
  }

  /** Accepts the job's id and its run key; throws NOT_FOUND, also for jobs of other tenants. */
  async read(tenant: string, kind: JobKind, name: string): Promise<JobAnswer> {
    const isRunKey = name.startsWith(`${tenant}.${kind}.`);
    const id = isRunKey ? jobIdOf(name) : name;
    const stored = await this.#tenants.get(tenant).transport.read(kind, id);
    if (stored === undefined) {
      if (isRunKey) return this.#fromLedger(tenant, kind, name);
      throw notFound(kind, name);
    }
    const { envelope, state, progress, returnValue, failedReason } = stored;
    if (envelope.tenant !== tenant) throw notFound(kind, name);
    const answer: JobAnswer = { id, runKey: envelope.runKey, kind, state };
    const shown = progressSchema.safeParse(progress);
    if (shown.success) answer.progress = shown.data;
    if (state === 'completed') answer.output = parseOutput(kind, returnValue);
    if (state !== 'failed' || failedReason === undefined) return answer;
    const error = errorOfReason(failedReason).toJSON();
    return { ...answer, state: isCancelled(failedReason) ? 'cancelled' : 'failed', error };
  }

  /** A job that BullMQ has forgotten, from the run it left. */
  async #fromLedger(tenant: string, kind: JobKind, runKey: string): Promise<JobAnswer> {
    const run = await this.#store.ledger.read(runKey);
    if (run === undefined || run.tenant !== tenant || run.kind !== kind) throw notFound(kind, runKey);
    const answer: JobAnswer = { id: jobIdOf(runKey), runKey, kind, state: STATE_OF_RUN[run.state] };
    if (run.state === 'committed') answer.output = readOutput(contractOf(kind), run.contractVersion, run.output);
    if (run.error !== undefined)
      answer.error = errorOfFailure({ ...run.error, details: { ...run.error.details } }).toJSON();
    return answer;
  }

  async cancel(tenant: string, kind: JobKind, name: string): Promise<JobAnswer> {
    const found = await this.read(tenant, kind, name);
    await this.#tenants.get(tenant).transport.cancel(found.runKey);
    return found;
  }

  async enqueue<K extends JobKind>(tenant: string, kind: K, input: InputOf<K>, key: string | undefined) {
    const client = this.#tenants.get(tenant).client.job(kind);
    const options = key === undefined ? {} : { key };
    if (client instanceof KindClient) return client.enqueue(input as never, options);
    return client.enqueue(input as { compact: object }, options);
  }
}

function registerKind(plain: FastifyInstance, jobs: Jobs, kind: JobKind): void {
  const app = plain.withTypeProvider<ZodTypeProvider>();
  const contract = contractOf(kind);
  const answer = jobAnswer(contract.output);
  const about = { tags: ['jobs'], security: [{ key: [] }] };
  const input = INPUTS[kind]?.input;
  if (input !== undefined)
    app.route({
      method: 'POST',
      url: `/v1/jobs/${kind}`,
      bodyLimit: JOB_BYTES_MAX,
      config: { scope: 'jobs:write', kind },
      schema: {
        ...about,
        summary: contract.title,
        body: z.strictObject({ input, key: keySchema.optional() }),
        response: { 202: enqueuedSchema, ...errorAnswers },
      },
      handler: async (request, reply) => {
        const { input: parsed, key } = request.body as { input: InputOf<JobKind>; key?: string };
        const { id, runKey } = await jobs.enqueue(tenantOf(request), kind, parsed, key);
        return reply.code(202).send({ id, runKey });
      },
    });
  app.route({
    method: 'GET',
    url: `/v1/jobs/${kind}/:id`,
    config: { scope: 'jobs:read' },
    schema: {
      ...about,
      summary: `State, progress, output or error of a job of ${kind}`,
      params: jobParams,
      response: { 200: answer, ...errorAnswers },
    },
    handler: async (request) =>
      (await jobs.read(tenantOf(request), kind, request.params.id)) as z.output<typeof answer>,
  });
  app.route({
    method: 'DELETE',
    url: `/v1/jobs/${kind}/:id`,
    config: { scope: 'jobs:write', kind },
    schema: {
      ...about,
      summary: `Ask for a job of ${kind} to end`,
      description: 'A job that waits ends when its turn comes; a committed one stays as it is.',
      params: jobParams,
      response: { 202: enqueuedSchema, ...errorAnswers },
    },
    handler: async (request, reply) => {
      const { id, runKey } = await jobs.cancel(tenantOf(request), kind, request.params.id);
      return reply.code(202).send({ id, runKey });
    },
  });
}

export function registerJobs(plain: FastifyInstance, jobs: Jobs): void {
  for (const kind of JOB_KINDS) registerKind(plain, jobs, kind);
  const app = plain.withTypeProvider<ZodTypeProvider>();
  const offered = JOB_KINDS.filter((kind) => INPUTS[kind] !== undefined);
  const unknown = (kind: string): never => {
    contractOf(kind);
    throw new AppError('KIND_UNKNOWN', {
      message: `Jobs of kind "${kind}" are not enqueued by callers.`,
      details: { kind, known: offered },
    });
  };
  const hidden = { hide: true, params: z.object({ kind: z.string().max(100) }) };
  const refuse = async ({ params }: { params: unknown }): Promise<never> => unknown(hidden.params.parse(params).kind);
  const one = '/v1/jobs/:kind/:id';
  app.route({
    method: 'POST',
    url: '/v1/jobs/:kind',
    config: { scope: 'jobs:write' },
    schema: hidden,
    handler: refuse,
  });
  app.route({ method: 'GET', url: one, config: { scope: 'jobs:read' }, schema: hidden, handler: refuse });
  app.route({ method: 'DELETE', url: one, config: { scope: 'jobs:write' }, schema: hidden, handler: refuse });
}
