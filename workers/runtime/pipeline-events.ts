/** Owns what the stream hears of pipeline runs: told by whoever moved the document, so once each. */
import type { PipelineRunDocument } from '../../shared/store/ports.ts';
import type { Telemetry } from '../../shared/telemetry/stream.ts';

/** Of a document that nobody has advanced yet. */
const FIRST_SEQ = 1;

export function tellAdvance(
  telemetry: Telemetry | undefined,
  before: PipelineRunDocument,
  after: PipelineRunDocument,
): void {
  if (telemetry?.heard !== true) return;
  const names = { pipeline: after.pipeline, run: after.id };
  if (before.seq === FIRST_SEQ) telemetry.emit('pipeline.started', names);
  for (const [step, { state }] of Object.entries(after.steps))
    if (state !== before.steps[step]?.state) telemetry.emit('pipeline.step', { ...names, step, state });
  if (after.state === 'running') return;
  const seconds = ((after.endedAt ?? after.changedAt) - after.createdAt) / 1000;
  telemetry.emit('pipeline.ended', { ...names, state: after.state, seconds });
}
