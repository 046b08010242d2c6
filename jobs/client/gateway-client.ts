/** Owns calls to the gateway: bearer key, time limit, answers parsed by the schemas that the gateway writes with. */
import { hash } from 'node:crypto';
import type { z } from 'zod';
import type { ClaimRef } from '../../shared/contract-kit/envelope.ts';
import { AppError } from '../../shared/errors.ts';
import {
  consentGivenSchema,
  type ConsentsClient,
  consentsOfPersonSchema,
  purposesSchema,
  withdrawnSchema,
} from './consents.ts';
import { type DeadLetterDesk, deadLetterPageSchema, deadLetterSchema, redriveResultsSchema } from './dead-letters.ts';
import { errorOfFailure, parseFailure } from './failure.ts';
import type { Gateway, ReleaseChange } from './job-client.ts';
import {
  claimResponseSchema,
  type EffectsResponse,
  effectsResponseSchema,
  type PromptNote,
  type PromptResponse,
  promptResponseSchema,
  type RecommendationsResponse,
  recommendationsResponseSchema,
  type ReleasePointer,
  releasePointerSchema,
  type ReleasesResponse,
  releasesResponseSchema,
  type SegmentsResponse,
  segmentsResponseSchema,
} from './responses.ts';

const TIMEOUT_MS = 30_000;

export interface GatewayAddress {
  /** http://host:port of the gateway. */
  readonly url: string;
  /** API key with the scopes of what is asked. */
  readonly key: string;
}

export class GatewayClient implements Gateway {
  readonly #base: URL;
  readonly #key: string;

  constructor({ url, key }: GatewayAddress) {
    if (!URL.canParse(url))
      throw new AppError('CONFIG_INVALID', {
        message: 'connect({ gateway: { url } }) needs an http:// or https:// address.',
        details: { problems: ['gateway.url'] },
      });
    this.#base = new URL(url.endsWith('/') ? url : `${url}/`);
    this.#key = key;
  }

  async putClaim(body: string, runKey: string, signal?: AbortSignal): Promise<ClaimRef> {
    const init = { method: 'POST', body, headers: { 'content-type': 'application/octet-stream' } };
    const claim = await this.#ask(`v1/claims?run=${encodeURIComponent(runKey)}`, init, claimResponseSchema, signal);
    if (claim.sha256 !== hash('sha256', body))
      throw new AppError('CLAIM_NOT_FOUND', {
        message: 'The gateway stored something else than what was sent.',
        details: { claim: claim.id },
      });
    return claim;
  }

  recommendations(user: string, k?: number, signal?: AbortSignal): Promise<RecommendationsResponse> {
    const query = k === undefined ? '' : `?k=${k}`;
    const path = `v1/recommendations/${encodeURIComponent(user)}${query}`;
    return this.#ask(path, {}, recommendationsResponseSchema, signal);
  }

  segments(user: string, signal?: AbortSignal): Promise<SegmentsResponse> {
    return this.#ask(`v1/segments/${encodeURIComponent(user)}`, {}, segmentsResponseSchema, signal);
  }

  prompt(user: string, signal?: AbortSignal): Promise<PromptResponse> {
    return this.#ask(`v1/prompts/${encodeURIComponent(user)}`, {}, promptResponseSchema, signal);
  }

  notePrompt(user: string, did: PromptNote, signal?: AbortSignal): Promise<PromptResponse> {
    return this.#ask(`v1/prompts/${encodeURIComponent(user)}`, posted({ did }), promptResponseSchema, signal);
  }

  effects(user: string, signal?: AbortSignal): Promise<EffectsResponse> {
    return this.#ask(`v1/feedback/effects/${encodeURIComponent(user)}`, {}, effectsResponseSchema, signal);
  }

  readonly deadLetters: DeadLetterDesk = {
    page: ({ kind, code, since, limit, after }, signal) => {
      const asked = { kind, code, since: since === undefined ? undefined : String(Number(since)), limit, after };
      const query = new URLSearchParams();
      for (const [name, value] of Object.entries(asked)) if (value !== undefined) query.set(name, String(value));
      return this.#ask(`v1/dead-letters?${query.toString()}`, {}, deadLetterPageSchema, signal);
    },
    show: (runKey, signal) => this.#ask(`v1/dead-letters/${encodeURIComponent(runKey)}`, {}, deadLetterSchema, signal),
    redrive: async (runKeys, signal) => {
      return (await this.#ask('v1/dead-letters/redrive', posted({ runKeys }), redriveResultsSchema, signal)).results;
    },
  };

  readonly consents: ConsentsClient = {
    of: (user, { signal } = {}) =>
      this.#ask(`v1/people/${encodeURIComponent(user)}/consents`, {}, consentsOfPersonSchema, signal),
    give: (user, consent, { signal } = {}) =>
      this.#ask(`v1/people/${encodeURIComponent(user)}/consents`, posted(consent), consentGivenSchema, signal),
    withdraw: (user, what = {}, { signal } = {}) =>
      this.#ask(`v1/people/${encodeURIComponent(user)}/withdrawals`, posted(what), withdrawnSchema, signal),
    purposes: ({ signal } = {}) => this.#ask('v1/purposes', {}, purposesSchema, signal),
  };

  releases(limit: number, signal?: AbortSignal): Promise<ReleasesResponse> {
    return this.#ask(`v1/releases?limit=${limit}`, {}, releasesResponseSchema, signal);
  }

  changeRelease(change: ReleaseChange, signal?: AbortSignal): Promise<ReleasePointer> {
    const { did, ...body } = change;
    if (did === 'unhold') return this.#ask('v1/releases/hold', { method: 'DELETE' }, releasePointerSchema, signal);
    return this.#ask(`v1/releases/${did}`, posted(body), releasePointerSchema, signal);
  }

  async #ask<S extends z.ZodType>(
    path: string,
    init: { method?: string; body?: string; headers?: Record<string, string> },
    schema: S,
    signal?: AbortSignal,
  ): Promise<z.output<S>> {
    const limit = AbortSignal.timeout(TIMEOUT_MS);
    let status: number;
    let text: string;
    try {
      const response = await fetch(new URL(path, this.#base), {
        ...init,
        headers: { ...init.headers, authorization: `Bearer ${this.#key}` },
        signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
      });
      status = response.status;
      text = await response.text();
    } catch (cause) {
      signal?.throwIfAborted();
      throw this.#unavailable('does not answer', cause);
    }
    if (status >= 400) throw this.#refusal(status, text);
    try {
      return schema.parse(JSON.parse(text));
    } catch (cause) {
      throw this.#unavailable(`answered ${path} with something else than was agreed`, cause);
    }
  }

  #refusal(status: number, text: string): AppError {
    const failure = parseFailure(text);
    return failure === undefined ? this.#unavailable(`answered with status ${status}`) : errorOfFailure(failure);
  }

  #unavailable(what: string, cause?: unknown): AppError {
    return new AppError('SERVICE_UNAVAILABLE', {
      message: `The gateway at ${this.#base.host} ${what}.`,
      details: { service: 'gateway', address: this.#base.host },
      cause,
    });
  }
}

const posted = (body: unknown) => ({
  method: 'POST',
  body: JSON.stringify(body),
  headers: { 'content-type': 'application/json' },
});
