/** Owns the test of what was built against what the live segments learned from: drift shows on the day that it is served, not when it is trained on. */
import type { FeatureView } from '../../shared/contract-kit/feature-views.ts';
import type { FeatureSkew, FeatureTable } from '../../shared/numerics/evaluation/feature-skew.ts';
import type { SkewRequest } from '../../shared/numerics/evaluation/feature-skew.task.ts';
import { VIEWS } from '../../shared/numerics/features/registry.ts';
import { KEY_BYTES } from '../../shared/numerics/types.ts';
import {
  featureTable,
  meaningOf,
  pickColumns,
  SKEW_DISTANCE_MIN,
  type SkewReport,
  skewLine,
  type Trained,
  trainedFeatures,
} from '../../shared/store/feature-skew.ts';
import type { RunContext } from '../runtime/processor.ts';

const TASKS = new URL('../../shared/numerics/evaluation/feature-skew.task.ts', import.meta.url).href;

export interface BuiltFeatures {
  readonly asOf: number;
  readonly names: readonly string[];
  readonly subjects: Uint8Array;
  readonly matrix: Float32Array;
}

/** What the live segments learned from. */
export interface LearnedFeatures extends Trained {
  readonly meaning: SkewReport['meaning'];
  readonly table: FeatureTable;
}

/** Undefined where no live segments learned from features of the view that are kept, of people who still allow it. */
export async function readLearned(
  view: FeatureView,
  { store, tenant }: RunContext,
): Promise<LearnedFeatures | undefined> {
  const trained = await trainedFeatures(store, tenant, view);
  if (trained === undefined) return undefined;
  const table = await featureTable(store, tenant, trained.features);
  const meaning = { trained: meaningOf(trained.features), served: VIEWS[view].version };
  return table.rows.rows === 0 ? undefined : { ...trained, meaning, table };
}

/** A finding, never a failure. */
export async function compareWithLive(
  built: BuiltFeatures,
  { features: version, meaning, segments, table }: LearnedFeatures,
  { log, pool, runKey, signal }: RunContext,
): Promise<SkewReport> {
  let features: readonly FeatureSkew[] = [];
  if (meaning.trained === meaning.served) {
    const payload = requestOf(built, table, built.asOf === version.asOf);
    const [found] = await pool.runPhase<readonly FeatureSkew[]>([{ module: TASKS, name: 'testSkew', payload }], signal);
    features = found!;
  }
  const report = { segments, trained: version.version, meaning, features };
  const line = skewLine(report);
  if (line !== undefined) log.warn({ runKey, code: 'FEATURE_SKEW', segments }, line);
  return report;
}

/** Values of the same people are compared only where both speak of the same moment: else they may have changed. */
function requestOf(
  { matrix, names, subjects }: BuiltFeatures,
  trained: FeatureTable,
  isSameMoment: boolean,
): SkewRequest {
  const rows = Array.from({ length: subjects.length / KEY_BYTES }, (_, row) => row);
  const ids = rows.map((row) => Buffer.from(subjects.subarray(row * KEY_BYTES, (row + 1) * KEY_BYTES)).toString('hex'));
  const data = pickColumns({ names, rows, matrix }, trained.names);
  return {
    trained,
    served: {
      names: trained.names,
      rows: { rows: rows.length, width: trained.names.length, data },
      ...(isSameMoment && { ids }),
    },
    options: { distanceMin: SKEW_DISTANCE_MIN },
  };
}
