/** Owns the test of train/serve skew as a task of a thread. */
import { type FeatureSkew, type FeatureTable, findSkew, type SkewOptions } from './feature-skew.ts';

export interface SkewRequest {
  readonly trained: FeatureTable;
  readonly served: FeatureTable;
  readonly options?: SkewOptions;
}

export function testSkew({ options, served, trained }: SkewRequest): readonly FeatureSkew[] {
  return findSkew(trained, served, options);
}
