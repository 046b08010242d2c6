/**
 * Owns the course of a fit that learns in epochs in a kernel's memory: from where it goes on, who looks at it between two epochs and may end it,
 * what is told of it, and what is kept of it.
 */
import { cancellation } from '../../compute/cancellation.ts';
import type { Factors, FitContext } from '../types.ts';
import type { MemoryState } from './memory-state.ts';

export interface Epochs {
  readonly epochs: number;
  readonly context: FitContext;
  readonly state: MemoryState;
  /** Once, after the state was brought back: what can be made again is made. */
  begin?(): Promise<void>;
  epoch(number: number): Promise<void>;
  /** Of the epoch that has ended. `isWatched`: somebody looks, so a figure may cost something. */
  metrics(isWatched: boolean): Promise<Readonly<Record<string, number>>>;
  factors(): Promise<Factors>;
}

export async function runEpochs(fit: Epochs): Promise<void> {
  const { context, epochs, state } = fit;
  const { onProgress, signal, watch } = context;
  const done = await state.resume();
  await fit.begin?.();
  let isOver = watch?.isOver() === true;
  for (let epoch = done; epoch < epochs && !isOver; epoch++) {
    if (signal?.aborted) throw cancellation(signal);
    await fit.epoch(epoch);
    const own = await fit.metrics(watch !== undefined);
    const seen = await watch?.ended({ epoch: epoch + 1, factors: () => fit.factors() });
    isOver = watch?.isOver() === true;
    const metrics = { epoch: epoch + 1, ...own, ...seen };
    onProgress?.({ done: isOver ? epochs : epoch + 1, total: epochs, label: 'epochs', metrics });
    await state.offer(epoch + 1, isOver || epoch + 1 === epochs);
  }
}
