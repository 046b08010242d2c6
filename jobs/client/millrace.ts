/** Owns the shape of the client: one typed member per job kind, and pipelines, schedules and reads beside them. */
import { AppError } from '../../shared/errors.ts';
import { PIPELINE_NAMES, type PipelineName } from '../pipelines.ts';
import { contractOf, JOB_KINDS, type JobKind } from '../registry.ts';
import { DeadLettersClient } from './dead-letters.ts';
import { IngestionClient } from './ingestion-client.ts';
import { type ClientCore, type Gateway, KindClient } from './job-client.ts';
import { PipelineClient } from './pipelines-client.ts';
import type { RecommendationsResponse, SegmentsResponse } from './responses.ts';
import { SchedulesClient } from './schedules-client.ts';

/** 'bias-audit' -> 'biasAudit'. */
export type CamelCase<T extends string> = T extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : T;

export const camelCase = (name: string): string => name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());

/** What enqueues jobs of a kind. */
export type ClientOf<K extends JobKind> = K extends 'ingestion' ? IngestionClient : KindClient<K>;

type JobMembers = { readonly [K in JobKind]: ClientOf<K> } & { readonly [K in JobKind as CamelCase<K>]: ClientOf<K> };
type PipelineMembers = { readonly [N in PipelineName | CamelCase<PipelineName>]: PipelineClient };

export interface Reads {
  readonly recommendations: {
    /** The top items for a person, 1 <= k <= 500; through the gateway, which records the exposure. */
    get(
      user: string,
      options?: { readonly k?: number; readonly signal?: AbortSignal },
    ): Promise<RecommendationsResponse>;
  };
  readonly segments: {
    get(user: string, options?: { readonly signal?: AbortSignal }): Promise<SegmentsResponse>;
  };
}

export interface MillraceBase extends Reads, AsyncDisposable {
  readonly tenant: string;
  /** The client of a kind by its name. */
  job<K extends JobKind>(kind: K): ClientOf<K>;
  readonly pipelines: PipelineMembers;
  readonly schedules: SchedulesClient;
  /** Runs that ended without an effect, and giving them back to work; through the gateway. */
  readonly deadLetters: DeadLettersClient;
  /** Ends every connection; waits that are under way are rejected. */
  close(): Promise<void>;
}

export type Millrace = MillraceBase & JobMembers;

/** Puts the client together over whatever carries its jobs. */
export function buildMillrace(core: ClientCore): Millrace {
  const kinds = new Map<string, unknown>();
  for (const kind of JOB_KINDS)
    kinds.set(kind, kind === 'ingestion' ? new IngestionClient(core) : new KindClient(core, kind));
  const job = <K extends JobKind>(kind: K): ClientOf<K> => {
    contractOf(kind); // KIND_UNKNOWN for callers without types
    return kinds.get(kind) as ClientOf<K>;
  };
  const close = () => core.transport.close();
  const base: MillraceBase = {
    tenant: core.tenant,
    job,
    pipelines: bothNames(PIPELINE_NAMES, (name) => new PipelineClient(core, name)),
    schedules: new SchedulesClient(core),
    deadLetters: new DeadLettersClient(() => gatewayOf(core).deadLetters),
    recommendations: {
      get: async (user, { k, signal } = {}) => gatewayOf(core).recommendations(user, k, signal),
    },
    segments: { get: async (user, { signal } = {}) => gatewayOf(core).segments(user, signal) },
    close,
    [Symbol.asyncDispose]: close,
  };
  const members = bothNames<JobKind, unknown>(JOB_KINDS, job) as JobMembers;
  return Object.freeze(Object.assign(base, members));
}

/** Members under their own names and, where these have dashes, under camelCase names too. */
function bothNames<N extends string, T>(names: readonly N[], make: (name: N) => T): Record<N | CamelCase<N>, T> {
  const members: Record<string, T> = {};
  for (const name of names) {
    const member = make(name);
    members[name] = member;
    members[camelCase(name)] = member;
  }
  return members;
}

function gatewayOf(core: ClientCore): Gateway {
  if (core.gateway !== undefined) return core.gateway;
  throw new AppError('CONFIG_INVALID', {
    message: 'This goes through the gateway, but connect was not told where it is: connect({ gateway: { url, key } }).',
    details: { problems: ['gateway'] },
  });
}
