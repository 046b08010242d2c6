/**
 * Owns what callers see of dead letters, and redriving many of them: in batches, each told as it is done. Through the gateway, since a client of
 * Redis alone does not know the ledger.
 */
import { z } from 'zod';
import { stepRefSchema } from '../../shared/contract-kit/envelope.ts';
import { AppError } from '../../shared/errors.ts';
import type { JobKind } from '../registry.ts';
import { errorResponseSchema } from './responses.ts';

/** Dead letters of one answer, and of one batch of redrives. */
export const DEAD_LETTERS_MAX = 100;
/** Redrives of one call. */
export const REDRIVES_MAX = 10_000;

export const deadLetterSchema = z.object({
  runKey: z.string(),
  kind: z.string(),
  /** `failed`: of a kind that leaves no trace in the ledger. */
  state: z.enum(['dead-lettered', 'expired', 'failed']),
  /** Why it ended. */
  code: z.string(),
  message: z.string(),
  endedAt: z.number(),
  createdAt: z.number(),
  contractVersion: z.int(),
  /** Where its input lies and its hash; never the input itself. */
  input: z.object({
    in: z.enum(['job', 'sealed', 'claim', 'gone']),
    hash: z.string(),
    claim: z.string().optional(),
    bytes: z.int().optional(),
  }),
  /** Attempts of the job since it was made or redriven; absent: the queue has forgotten it. */
  attempts: z.int().optional(),
  attemptsMax: z.int().optional(),
  /** Times that a worker took it, in all its life. */
  claims: z.int(),
  /** How it ended before it was redriven, the oldest first. */
  earlierEnds: z.array(z.object({ state: z.string(), code: z.string(), endedAt: z.number() })),
  /** Until then it can be redriven. */
  redrivableUntil: z.number(),
  step: stepRefSchema.optional(),
});
export type DeadLetter = z.output<typeof deadLetterSchema>;

export const deadLetterPageSchema = z.object({
  deadLetters: z.array(deadLetterSchema),
  /** Asks for what comes after; absent: there is no more. */
  next: z.string().optional(),
});
export type DeadLetterPage = z.output<typeof deadLetterPageSchema>;

export const redriveResultSchema = z.object({
  runKey: z.string(),
  /** `running`: it was not dead any more; somebody else has redriven it, or it never ended. */
  outcome: z.enum(['redriven', 'running', 'refused']),
  error: errorResponseSchema.optional(),
});
export type RedriveResult = z.output<typeof redriveResultSchema>;
export const redriveResultsSchema = z.object({ results: z.array(redriveResultSchema) });

export interface DeadLetterFilter {
  readonly kind?: JobKind | (string & {});
  /** Code it ended with. */
  readonly code?: string;
  /** Ended then or later: ms since 1970, or a Date. */
  readonly since?: number | Date;
}

export interface DeadLetterAsk extends DeadLetterFilter {
  readonly limit?: number;
  /** `next` of the page before. */
  readonly after?: string;
}

/** Where dead letters are. */
export interface DeadLetterDesk {
  page(ask: DeadLetterAsk, signal?: AbortSignal): Promise<DeadLetterPage>;
  show(runKey: string, signal?: AbortSignal): Promise<DeadLetter>;
  /** At most DEAD_LETTERS_MAX at once. */
  redrive(runKeys: readonly string[], signal?: AbortSignal): Promise<RedriveResult[]>;
}

export interface RedriveOptions {
  /** Told after each batch. */
  readonly onProgress?: (report: RedriveReport) => void;
  /** Ends between batches: what is redriven already stays so. */
  readonly signal?: AbortSignal;
  /** Most of them; default and bound: REDRIVES_MAX. */
  readonly limit?: number;
}

export interface RedriveReport {
  readonly redriven: number;
  readonly running: number;
  /** Each with why, in `error`. */
  readonly refused: readonly RedriveResult[];
}

/** What redrives is the desk; this walks through the many. */
export async function redriveAll(
  desk: DeadLetterDesk,
  which: readonly string[] | DeadLetterFilter,
  { onProgress, signal, limit = REDRIVES_MAX }: RedriveOptions = {},
): Promise<RedriveReport> {
  const most = Math.min(limit, REDRIVES_MAX);
  let report: RedriveReport = { redriven: 0, running: 0, refused: [] };
  for await (const runKeys of isKeys(which) ? batchesOf(which.slice(0, most)) : pagesOf(desk, which, most, signal)) {
    signal?.throwIfAborted();
    const results = await desk.redrive(runKeys, signal);
    const count = (outcome: RedriveResult['outcome']): number =>
      results.filter((result) => result.outcome === outcome).length;
    report = {
      redriven: report.redriven + count('redriven'),
      running: report.running + count('running'),
      refused: [...report.refused, ...results.filter(({ outcome }) => outcome === 'refused')],
    };
    onProgress?.(report);
  }
  return report;
}

const isKeys = (which: readonly string[] | DeadLetterFilter): which is readonly string[] => Array.isArray(which);

async function* batchesOf(runKeys: readonly string[]): AsyncGenerator<readonly string[]> {
  for (let from = 0; from < runKeys.length; from += DEAD_LETTERS_MAX)
    yield runKeys.slice(from, from + DEAD_LETTERS_MAX);
}

/** From the latest end on; what fails again meanwhile ends later than where it is, and is not met twice. */
async function* pagesOf(
  desk: DeadLetterDesk,
  filter: DeadLetterFilter,
  most: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<readonly string[]> {
  let left = most;
  let after: string | undefined;
  while (left > 0) {
    const ask = { ...filter, limit: Math.min(left, DEAD_LETTERS_MAX), ...(after === undefined ? {} : { after }) };
    const { deadLetters, next } = await desk.page(ask, signal);
    if (deadLetters.length > 0) yield deadLetters.map(({ runKey }) => runKey);
    left -= deadLetters.length;
    after = next;
    if (after === undefined) return;
  }
}

/** `millrace.deadLetters`. */
export class DeadLettersClient {
  readonly #desk: () => DeadLetterDesk;

  constructor(desk: () => DeadLetterDesk) {
    this.#desk = desk;
  }

  /** Dead letters, the latest end first; `limit` up to 100, default 100. */
  async list(ask: DeadLetterAsk = {}, options: { readonly signal?: AbortSignal } = {}): Promise<DeadLetter[]> {
    return (await this.#desk().page(ask, options.signal)).deadLetters;
  }

  /** Throws NOT_FOUND. */
  show(runKey: string, options: { readonly signal?: AbortSignal } = {}): Promise<DeadLetter> {
    return this.#desk().show(runKey, options.signal);
  }

  /** Gives dead letters back to work: those named, or all that fit a filter. Each input is checked against today's contract first. */
  async redrive(which: readonly string[] | DeadLetterFilter, options: RedriveOptions = {}): Promise<RedriveReport> {
    if (isKeys(which) && which.length > REDRIVES_MAX)
      throw new AppError('INPUT_INVALID', { message: `One call redrives at most ${REDRIVES_MAX} runs.` });
    return redriveAll(this.#desk(), which, options);
  }
}
