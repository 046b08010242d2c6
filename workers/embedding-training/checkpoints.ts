/**
 * Owns when a training keeps what it could go on from, and what it may go on from: a state of the same data (so of the same people), parameters,
 * seed, code and engine, nobody of whom has withdrawn since. All that is only a hope: what cannot be read is begun again.
 */
import { hash } from 'node:crypto';
import { embeddingTraining } from '../../jobs/embedding-training/contract.ts';
import { toAppError } from '../../shared/errors.ts';
import type { FitCheckpoints, FitState, OfferedState, TrainInput } from '../../shared/numerics/types.ts';
import type { StoredCheckpoint } from '../../shared/store/ports.ts';
import type { CheckpointRules } from '../../shared/config.ts';
import type { RunContext } from '../runtime/processor.ts';
import type { KeptWatch } from './watch.ts';

export const DIGEST = new URL('../../shared/numerics/interactions/digest.task.ts', import.meta.url).href;

/** What a fit learns from beside the data: whatever changes the model's bytes. */
export interface Origin {
  readonly model: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly seed: number;
  /** What it goes on from, and how long it runs, where that is not in the parameters. */
  readonly warmStart?: string;
  readonly epochs?: number;
  readonly patience?: number;
}

/** Checkpoints of one of the fits of a run; undefined where none are kept. */
export async function fitCheckpoints(
  part: 'measured' | 'published',
  input: TrainInput,
  origin: Origin,
  context: RunContext,
  watch?: KeptWatch,
): Promise<FitCheckpoints | undefined> {
  const rules = context.checkpoints;
  if (rules === undefined || rules.bytesMax === 0) return undefined;
  const task = { module: DIGEST, name: 'digestInput', payload: { input } };
  const [digest] = await context.pool.runPhase<string>([task], context.signal);
  const { codeVersion } = context;
  const source = JSON.stringify([embeddingTraining.version, codeVersion, origin, part, digest]);
  return new RunCheckpoints({ part, source, rules, watch }, context);
}

interface Kept {
  readonly part: string;
  readonly source: string;
  readonly rules: CheckpointRules;
  readonly watch: KeptWatch | undefined;
}

/** What the watch knows lies beside what the fit does. */
const WATCH = 'watch.';

class RunCheckpoints implements FitCheckpoints {
  readonly #of: Kept;
  readonly #context: RunContext;
  #keptAtMs = performance.now();

  constructor(of: Kept, context: RunContext) {
    this.#of = of;
    this.#context = context;
  }

  #fingerprint(engine: string): string {
    return hash('sha256', `${this.#of.source}\0${engine}`, 'hex');
  }

  async last(engine: string): Promise<FitState | undefined> {
    const { log, runKey, store, tenant } = this.#context;
    const found = await store.checkpoints.last(tenant, runKey, this.#of.part, this.#fingerprint(engine));
    if (found === undefined || (await this.#isRevoked(found))) return undefined;
    try {
      const arrays = await store.checkpoints.arrays(found);
      log.info({ runKey, part: this.#of.part, epoch: found.epoch }, 'training goes on from a checkpoint');
      return this.#restored(found, arrays);
    } catch (thrown) {
      const { code } = toAppError(thrown);
      if (code !== 'BLOCK_CORRUPT' && code !== 'BLOCK_KEY_MISSING') throw thrown;
      log.warn({ runKey, part: this.#of.part, code }, 'a checkpoint cannot be read; the training begins again');
      return undefined;
    }
  }

  #restored({ epoch, facts }: StoredCheckpoint, arrays: FitState['arrays']): FitState {
    const [own, watched]: Record<string, Float32Array>[] = [{}, {}];
    for (const [name, data] of Object.entries(arrays))
      if (name.startsWith(WATCH)) watched![name.slice(WATCH.length)] = data;
      else own![name] = data;
    const { fit, watch } = facts as { fit: FitState['facts']; watch: FitState['facts'] };
    this.#of.watch?.restore({ epoch, facts: watch, arrays: watched! });
    return { epoch, facts: fit, arrays: own! };
  }

  /** The digest of the data says the same, as long as the data are what the consents say; this asks the consents themselves. */
  async #isRevoked({ consentEpoch, createdAt }: StoredCheckpoint): Promise<boolean> {
    const { store, tenant } = this.#context;
    const { purposes } = embeddingTraining;
    const withdrawn = await store.consents.withdrawnSince(tenant, consentEpoch, purposes, createdAt);
    return withdrawn.subjects.length > 0;
  }

  async offer({ engine, epoch, isLast, state }: OfferedState): Promise<void> {
    const { everyEpochs, everyMs, bytesMax } = this.#of.rules;
    if (epoch % everyEpochs !== 0 && !isLast) return;
    if (performance.now() - this.#keptAtMs < everyMs) return;
    const fit = state();
    const watch = this.#of.watch?.keep() ?? { facts: {}, arrays: {} };
    const seen = Object.entries(watch.arrays).map(([name, data]) => [WATCH + name, data] as const);
    const arrays = { ...fit.arrays, ...Object.fromEntries(seen) };
    const bytes = Object.values(arrays).reduce((sum, { byteLength }) => sum + byteLength, 0);
    const { consentEpoch, fence, log, runKey, store, tenant } = this.#context;
    if (bytes > bytesMax) {
      log.warn({ runKey, bytes, bytesMax }, 'the state of a training is too large to be kept');
      this.#keptAtMs = Number.POSITIVE_INFINITY; // and so are the next ones
      return;
    }
    const of = { tenant, runKey, fence, part: this.#of.part, fingerprint: this.#fingerprint(engine) };
    try {
      await store.checkpoints.write(
        { ...of, epoch, consentEpoch, facts: { fit: fit.facts, watch: watch.facts } },
        arrays,
      );
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
