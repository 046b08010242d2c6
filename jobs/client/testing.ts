/**
 * Owns `@millrace/client/testing`: a client without Redis for a service's own tests. Contracts, sealing, parts and errors are those
 * of the real client; jobs are recorded, and answered by handlers or by hand.
 */
import { randomBytes } from 'node:crypto';
import { DEFAULT_TENANT } from '../../shared/contract-kit/names.ts';
import { sealRing } from '../../shared/contract-kit/seal.ts';
import { AppError } from '../../shared/errors.ts';
import type { Gateway } from './job-client.ts';
import { type EnqueuedJob, type Handlers, MemoryTransport } from './memory-transport.ts';
import { buildMillrace, type Millrace } from './millrace.ts';
import type { PipelineDocument } from './pipelines-client.ts';
import type {
  EffectsResponse,
  PromptNote,
  PromptResponse,
  RecommendationsResponse,
  SegmentsResponse,
  ReleasePointer,
} from './responses.ts';

export type { EnqueuedJob, HandlerContext, Handlers } from './memory-transport.ts';

export interface InMemoryOptions {
  readonly tenant?: string;
  /** Answers jobs of a kind; jobs of other kinds wait for `complete` or `fail`. A delay is recorded, not waited for. */
  readonly handlers?: Handlers;
  readonly recommendations?: (user: string, k: number | undefined) => RecommendationsResponse;
  readonly segments?: (user: string) => SegmentsResponse;
  /** `did`: what is noted; absent: whom to ask is asked. */
  readonly prompts?: (user: string, did: PromptNote | undefined) => PromptResponse;
  readonly effects?: (user: string) => EffectsResponse;
  /** The clock, ms since 1970; default: the machine's. */
  readonly nowMs?: () => number;
}

export type InMemoryMillrace = Millrace & {
  /** Every job that was enqueued, in order; a key used again adds none. */
  readonly enqueued: readonly EnqueuedJob[];
  /** Ends a waiting job with an output; throws OUTPUT_INVALID when it does not fit the contract. */
  complete(id: string, output: unknown): void;
  /** Ends a waiting job with an error. */
  fail(id: string, error: unknown): void;
  /** Writes the state of a pipeline run. A started pipeline is `running`, all its steps `waiting`, until this says more. */
  writePipeline(document: PipelineDocument): void;
};

export function connectInMemory(options: InMemoryOptions = {}): InMemoryMillrace {
  const { tenant = DEFAULT_TENANT, handlers = {}, nowMs = Date.now } = options;
  const ring = sealRing(randomBytes(32).toString('hex'));
  const transport = new MemoryTransport(ring, handlers, tenant);
  const none = (): never => {
    throw new AppError('NOT_FOUND', { message: 'In memory there are no dead letters: a job that fails is failed.' });
  };
  const notHere = (): never => {
    throw new AppError('NOT_FOUND', { message: 'In memory there is no log of consents: enqueue them as records.' });
  };
  const gateway: Gateway = {
    deadLetters: { page: async () => ({ deadLetters: [] }), show: async () => none(), redrive: async () => none() },
    consents: {
      of: async () => notHere(),
      give: async () => notHere(),
      withdraw: async () => notHere(),
      purposes: async () => notHere(),
    },
    putClaim: async (body) => transport.putClaim(body),
    recommendations: async (user, k) => given(options.recommendations, 'recommendations')(user, k),
    segments: async (user) => given(options.segments, 'segments')(user),
    prompt: async (user) => given(options.prompts, 'prompts')(user, undefined),
    notePrompt: async (user, did) => given(options.prompts, 'prompts')(user, did),
    effects: async (user) => given(options.effects, 'effects')(user),
    releases: async () => ({ releases: [] }),
    changeRelease: async () => given<ReleasePointer>(undefined, 'release'),
  };
  const millrace = buildMillrace({ transport, tenant, ring, gateway, nowMs });
  return Object.freeze(
    Object.assign(Object.create(null) as object, millrace, {
      enqueued: transport.enqueued,
      complete: transport.complete.bind(transport),
      fail: transport.fail.bind(transport),
      writePipeline: transport.writePipeline.bind(transport),
    }),
  );
}

function given<T>(answer: T | undefined, name: string): T {
  if (answer !== undefined) return answer;
  throw new AppError('NOT_PUBLISHED', { message: `connectInMemory was given no ${name}.` });
}
