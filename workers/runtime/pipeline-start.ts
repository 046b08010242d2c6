/** Owns the first document of a pipeline run. */
import type { Pipeline } from '../../jobs/define-pipeline.ts';
import type { ReleaseParts } from '../../jobs/pipeline/contract.ts';
import { issuesOf } from '../../jobs/client/make-job.ts';
import { AppError } from '../../shared/errors.ts';
import type { PipelineRunDocument, Release } from '../../shared/store/ports.ts';

/** Parameters are part of the run's document, which is read and written often. */
const PARAMS_BYTES_MAX = 64 * 1024;
const PART_NAMES = ['dataset', 'embeddings', 'segments', 'candidates', 'audit'] as const;

/** The parts that are named, without the rest of a release. */
export function partsOf(parts: ReleaseParts | Release | undefined): Record<string, string> {
  const named = PART_NAMES.map((name) => [name, parts?.[name]] as const);
  return Object.fromEntries(
    named.filter((entry): entry is [(typeof PART_NAMES)[number], string] => entry[1] !== undefined),
  );
}

/** Throws INPUT_INVALID and INPUT_TOO_LARGE. */
export function paramsOf(definition: Pipeline, params: unknown): Readonly<Record<string, unknown>> {
  const { name } = definition;
  const parsed = definition.params.safeParse(params);
  if (!parsed.success)
    throw new AppError('INPUT_INVALID', {
      message: `The parameters of "${name}" are not valid.`,
      details: { pipeline: name, issues: issuesOf(parsed.error) },
    });
  if (Buffer.byteLength(JSON.stringify(parsed.data)) > PARAMS_BYTES_MAX)
    throw new AppError('INPUT_TOO_LARGE', { details: { pipeline: name, field: 'params', bytesMax: PARAMS_BYTES_MAX } });
  return parsed.data;
}

export type NewRun = Pick<PipelineRunDocument, 'id' | 'tenant' | 'params' | 'asOf' | 'live' | 'parent' | 'origin'> &
  Partial<Pick<PipelineRunDocument, 'steps'>>;

export function newRun({ name, steps: nodes }: Pipeline, run: NewRun, now: number): PipelineRunDocument {
  const waiting = Object.fromEntries(Object.keys(nodes).map((step) => [step, { state: 'waiting' as const }]));
  return { steps: waiting, ...run, pipeline: name, state: 'running', seq: 1, createdAt: now, changedAt: now };
}
