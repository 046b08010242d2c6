/**
 * Owns when a training keeps what it could go on from, and what it may go on from: a state of the same data (so of the same people), parameters,
 * seed, code and engine, nobody of whom has withdrawn since. All that is only a hope: what cannot be read is begun again.
 */
import { hash } from 'node:crypto';
import { embeddingTraining } from '../../jobs/embedding-training/contract.ts';
import { toAppError } from '../../shared/errors.ts';
import type { FitCheckpoints, FitState, OfferedState, TrainInput } from '../../shared/numerics/types.ts';
import type { StoredCheckpoint } from '../../shared/store/ports.ts';
import type { RunContext } from '../runtime/processor.ts';

const DIGEST = new URL('../../shared/numerics/interactions/digest.task.ts', import.meta.url).href;

/** What a fit learns from beside the data: whatever changes the model's bytes. */
export interface Origin {
  readonly model: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly seed: number;
}

/** Checkpoints of one of the fits of a run; undefined where none are kept. */
export async function fitCheckpoints(
  part: 'measured' | 'published',
  input: TrainInput,
  origin: Origin,
  context: RunContext,
): Promise<FitCheckpoints | undefined> {
  const rules = context.checkpoints;
  if (rules === undefined || rules.bytesMax === 0) return undefined;
  const task = { module: DIGEST, name: 'digestInput', payload: { input } };
  const [digest] = await context.pool.runPhase<string>([task], context.signal);
  const { codeVersion } = context;
  const source = JSON.stringify([embeddingTraining.version, codeVersion, origin, part, digest]);
  return new RunCheckpoints(part, source, rules, context);
}

class RunCheckpoints implements FitCheckpoints {
  readonly #part: string;
  readonly #source: string;
  readonly #rules: NonNullable<RunContext['checkpoints']>;
  readonly #context: RunContext;
  #keptAtMs = performance.now();

  constructor(part: string, source: string, rules: NonNullable<RunContext['checkpoints']>, context: RunContext) {
    this.#part = part;
    this.#source = source;
    this.#rules = rules;
    this.#context = context;
  }

  #fingerprint(engine: string): string {
    return hash('sha256', `${this.#source}\0${engine}`, 'hex');
  }

  async last(engine: string): Promise<FitState | undefined> {
    const { log, runKey, store, tenant } = this.#context;
    const found = await store.checkpoints.last(tenant, runKey, this.#part, this.#fingerprint(engine));
    if (found === undefined || (await this.#isRevoked(found))) return undefined;
    try {
      const arrays = await store.checkpoints.arrays(found);
      log.info({ runKey, part: this.#part, epoch: found.epoch }, 'training goes on from a checkpoint');
      return { epoch: found.epoch, facts: found.facts, arrays };
    } catch (thrown) {
      const { code } = toAppError(thrown);
      if (code !== 'BLOCK_CORRUPT' && code !== 'BLOCK_KEY_MISSING') throw thrown;
      log.warn({ runKey, part: this.#part, code }, 'a checkpoint cannot be read; the training begins again');
      return undefined;
    }
  }

  /** The digest of the data says the same, as long as the data are what the consents say; this asks the consents themselves. */
  async #isRevoked({ consentEpoch }: StoredCheckpoint): Promise<boolean> {
    const { store, tenant } = this.#context;
    const withdrawn = await store.consents.withdrawnSince(tenant, consentEpoch, embeddingTraining.purposes);
    return withdrawn.subjects.length > 0;
  }

  async offer({ engine, epoch, isLast, state }: OfferedState): Promise<void> {
    const { everyEpochs, everyMs, bytesMax } = this.#rules;
    if (epoch % everyEpochs !== 0 && !isLast) return;
    if (performance.now() - this.#keptAtMs < everyMs) return;
    const { facts, arrays } = state();
    const bytes = Object.values(arrays).reduce((sum, { byteLength }) => sum + byteLength, 0);
    const { consentEpoch, fence, log, runKey, store, tenant } = this.#context;
    if (bytes > bytesMax) {
      log.warn({ runKey, bytes, bytesMax }, 'the state of a training is too large to be kept');
      this.#keptAtMs = Number.POSITIVE_INFINITY; // and so are the next ones
      return;
    }
    const of = { tenant, runKey, fence, part: this.#part, fingerprint: this.#fingerprint(engine) };
    try {
      await store.checkpoints.write({ ...of, epoch, consentEpoch, facts }, arrays);
    } catch (thrown) {
      // A store that is away for a moment must not end a training of hours.
      log.warn(
        { runKey, epoch, error: toAppError(thrown).toJSON() },
        'a checkpoint was not kept; the training goes on',
      );
    }
    this.#keptAtMs = performance.now();
  }
}
