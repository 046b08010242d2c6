/**
 * Owns how much an interaction counts beside what its value says: never more than its source's share allows (`influence`), less the older it is, and as
 * much as its source is believed. The latter two are off unless asked for: what fits depends on how fast tastes and catalogue turn, and on the sources.
 */
import { z } from 'zod';
import { AppError } from '../../errors.ts';
import type { TrainInput } from '../types.ts';

export const evidenceParams = {
  /** An interaction counts half for each such time that it is older than the newest one; 0: age does not matter. Needs times. */
  halfLifeDays: z.number().min(0).max(1e6).default(0),
  /** Multiplies the interactions of a source, by its name; sources that are not named count once. Needs the interactions' sources. */
  sourceWeights: z.record(z.string(), z.number().positive().max(1e6)).default({}),
};

export interface EvidenceParams {
  readonly halfLifeDays: number;
  readonly sourceWeights: Readonly<Record<string, number>>;
}

const DAY_MS = 86_400_000;
/** However old, an interaction is not nothing: a weight of 0 would leave a person or an item without any. */
const EVIDENCE_MIN = 1e-6;

/** Whether interactions count differently. */
export function isWeighed({ halfLifeDays, sourceWeights }: EvidenceParams, { influence }: TrainInput): boolean {
  return influence !== undefined || halfLifeDays > 0 || Object.keys(sourceWeights).length > 0;
}

/**
 * A factor for each interaction; undefined where all count alike. Linear.
 * @throws AppError NUMERICS_INPUT_INVALID when what is asked for needs times or sources that the input does not have.
 */
export function evidenceOf(input: TrainInput, params: EvidenceParams): Float32Array | undefined {
  if (!isWeighed(params, input)) return undefined;
  const evidence = input.influence?.slice() ?? new Float32Array(input.interactions.indices.length).fill(1);
  if (params.halfLifeDays > 0) decay(evidence, input.times ?? missing('halfLifeDays', 'times'), params.halfLifeDays);
  if (Object.keys(params.sourceWeights).length > 0) {
    const { names, of } = input.origins ?? missing('sourceWeights', 'sources');
    const weights = names.map((name) => params.sourceWeights[name] ?? 1);
    for (let at = 0; at < evidence.length; at++) evidence[at]! *= weights[of[at]!]!;
  }
  return evidence.map((factor) => Math.max(EVIDENCE_MIN, factor));
}

/** `values` times the evidence. */
export function withEvidence(values: Float32Array, input: TrainInput, params: EvidenceParams): Float32Array {
  const evidence = evidenceOf(input, params);
  return evidence === undefined ? values : values.map((value, at) => value * evidence[at]!);
}

function decay(evidence: Float32Array, times: Float64Array, halfLifeDays: number): void {
  let newest = -Infinity;
  for (const time of times) newest = Math.max(newest, time);
  for (let at = 0; at < evidence.length; at++) evidence[at]! *= 2 ** ((times[at]! - newest) / (halfLifeDays * DAY_MS));
}

function missing(field: string, what: string): never {
  throw new AppError('NUMERICS_INPUT_INVALID', {
    message: `${field} needs the ${what} of the interactions, and the data has none.`,
    details: { field },
  });
}
