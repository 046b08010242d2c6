/** Owns the names of feature views: features of people that are made, kept and read together. What each holds: shared/numerics/features. */
export const FEATURE_VIEWS = ['behaviour', 'engagement', 'context', 'network', 'text', 'graph'] as const;
export type FeatureView = (typeof FEATURE_VIEWS)[number];

/** What versions from before there were views hold. */
export const FIRST_VIEW: FeatureView = 'behaviour';

export const featureViewOf = (meta: Readonly<Record<string, unknown>>): string =>
  typeof meta['view'] === 'string' ? meta['view'] : FIRST_VIEW;
