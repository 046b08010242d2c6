/** Owns the shape of the client: one typed member per job kind, and pipelines, schedules and reads beside them. */
import { AppError } from '../../shared/errors.ts';
import { PIPELINE_NAMES, type PipelineName } from '../pipelines.ts';
import { contractOf, JOB_KINDS, type JobKind } from '../registry.ts';
import type { ConsentsClient } from './consents.ts';
import { DeadLettersClient } from './dead-letters.ts';
import { IngestionClient } from './ingestion-client.ts';
import { type ClientCore, type Gateway, KindClient, type ReleaseChange } from './job-client.ts';
import { PipelineClient } from './pipelines-client.ts';
import type {
  EffectsResponse,
  PromptResponse,
  RecommendationsResponse,
  ReleasePointer,
  ReleasesResponse,
  SegmentsResponse,
} from './responses.ts';
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
  /** Whom to ask for feedback now; through the gateway, which holds to consent, limits and the wish not to be asked. */
  readonly prompts: {
    get(user: string, options?: AskOptions): Promise<PromptResponse>;
    /** The person was asked: it counts towards the limits. */
    shown(user: string, options?: AskOptions): Promise<PromptResponse>;
    optOut(user: string, options?: AskOptions): Promise<PromptResponse>;
    optIn(user: string, options?: AskOptions): Promise<PromptResponse>;
  };
  /** What a person's answers changed, and what their list was before; through the gateway. */
  readonly effects: { get(user: string, options?: AskOptions): Promise<EffectsResponse> };
}

interface AskOptions {
  readonly signal?: AbortSignal;
}
interface ChangeOptions extends AskOptions {
  /** Kept with the change. */
  readonly reason?: string;
}

/** What is live; through the gateway. Asking for the same twice changes nothing the second time. */
export interface ReleasesClient {
  /** What was published, newest first, and the pointer to what is live. */
  list(options?: AskOptions & { readonly limit?: number }): Promise<ReleasesResponse>;
  /** Puts an earlier release live and holds it there: scheduled runs do not undo it. */
  rollBack(version: string, options?: ChangeOptions): Promise<ReleasePointer>;
  /** Puts a newer release live and lets go of a hold. */
  promote(version: string, options?: ChangeOptions): Promise<ReleasePointer>;
  /** Nothing that is published goes live. */
  hold(options?: ChangeOptions): Promise<ReleasePointer>;
  /** What is published next goes live again. */
  unhold(options?: AskOptions): Promise<ReleasePointer>;
}

export interface MillraceBase extends Reads, AsyncDisposable {
  readonly tenant: string;
  /** The client of a kind by its name. */
  job<K extends JobKind>(kind: K): ClientOf<K>;
  readonly pipelines: PipelineMembers;
  readonly schedules: SchedulesClient;
  /** Runs that ended without an effect, and giving them back to work; through the gateway. */
  readonly deadLetters: DeadLettersClient;
  readonly releases: ReleasesClient;
  /** What people consent to: giving, withdrawing, receipts; through the gateway. */
  readonly consents: ConsentsClient;
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
    releases: releasesClient(core),
    consents: consentsClient(core),
    recommendations: {
      get: async (user, { k, signal } = {}) => gatewayOf(core).recommendations(user, k, signal),
    },
    segments: { get: async (user, { signal } = {}) => gatewayOf(core).segments(user, signal) },
    prompts: {
      get: async (user, { signal } = {}) => gatewayOf(core).prompt(user, signal),
      shown: async (user, { signal } = {}) => gatewayOf(core).notePrompt(user, 'shown', signal),
      optOut: async (user, { signal } = {}) => gatewayOf(core).notePrompt(user, 'opt-out', signal),
      optIn: async (user, { signal } = {}) => gatewayOf(core).notePrompt(user, 'opt-in', signal),
    },
    effects: { get: async (user, { signal } = {}) => gatewayOf(core).effects(user, signal) },
    close,
    [Symbol.asyncDispose]: close,
  };
  const members = bothNames<JobKind, unknown>(JOB_KINDS, job) as JobMembers;
  return Object.freeze(Object.assign(base, members));
}

const RELEASES_LISTED = 20;

function releasesClient(core: ClientCore): ReleasesClient {
  const change = async ({ signal, ...what }: ReleaseChange & AskOptions): Promise<ReleasePointer> =>
    gatewayOf(core).changeRelease(what, signal);
  return {
    list: async ({ limit = RELEASES_LISTED, signal } = {}) => gatewayOf(core).releases(limit, signal),
    rollBack: (version, options = {}) => change({ did: 'rollback', version, ...options }),
    promote: (version, options = {}) => change({ did: 'promote', version, ...options }),
    hold: (options = {}) => change({ did: 'hold', ...options }),
    unhold: (options = {}) => change({ did: 'unhold', ...options }),
  };
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

function consentsClient(core: ClientCore): ConsentsClient {
  return {
    of: async (user, options) => gatewayOf(core).consents.of(user, options),
    give: async (user, consent, options) => gatewayOf(core).consents.give(user, consent, options),
    withdraw: async (user, what, options) => gatewayOf(core).consents.withdraw(user, what, options),
    purposes: async (options) => gatewayOf(core).consents.purposes(options),
  };
}

function gatewayOf(core: ClientCore): Gateway {
  if (core.gateway !== undefined) return core.gateway;
  throw new AppError('CONFIG_INVALID', {
    message: 'This goes through the gateway, but connect was not told where it is: connect({ gateway: { url, key } }).',
    details: { problems: ['gateway'] },
  });
}
